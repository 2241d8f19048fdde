#include "engine/runtime/anomaly.h"

#include <cmath>

#include <fmt/format.h>

namespace preamble {
namespace {

template <class T, class ToFloat>
std::optional<double> first_bad(const void* values, std::int64_t count, const ToFloat& number) noexcept {
  const T* elements = static_cast<const T*>(values);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto x = static_cast<double>(number(elements[i]));
    if (!std::isfinite(x)) return x;
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> first_not_finite(Dtype dtype, const void* values, std::int64_t count) noexcept {
  switch (dtype) {
    case Dtype::f32: return first_bad<float>(values, count, [](float x) { return x; });
    case Dtype::f64: return first_bad<double>(values, count, [](double x) { return x; });
    case Dtype::bf16: return first_bad<BFloat16>(values, count, [](BFloat16 x) { return to_float(x); });
    case Dtype::f16: return first_bad<Float16>(values, count, [](Float16 x) { return to_float(x); });
    default: return std::nullopt;
  }
}

std::string Anomaly::describe() const {
  const std::string_view pass = phase == Phase::forward ? "" : phase == Phase::backward ? " (backward)" : " (recomputed)";
  std::string text = fmt::format("{} from {}", value, op);
  if (!scope.empty()) text += " in " + scope;
  text += pass;
  if (!leaf.empty()) text += fmt::format(", which reads '{}', where it stands already", leaf);
  return text;
}

}  // namespace preamble
