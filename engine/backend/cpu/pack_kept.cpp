#include "engine/ops/pack_kept.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/backend/cpu/round_row.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {
namespace {

constexpr std::int64_t kRows = 16;
constexpr float kLargest = 127;

/// A scale and whole numbers. A row with an infinity or a NaN gets it as its scale.
template <class T>
void pack_bytes(const T* x, std::byte* to, std::int64_t n) noexcept {
  float largest = 0;
  bool finite = true;
  for (std::int64_t i = 0; i < n; ++i) {
    const float magnitude = std::abs(static_cast<float>(x[i]));
    finite = finite && magnitude <= 0x1.FFFFFEp127F;
    largest = std::max(largest, magnitude);
  }
  const float scale = finite ? largest / kLargest : std::nanf("");
  std::memcpy(to, &scale, sizeof(scale));
  const float inverse = finite && scale > 0 ? 1 / scale : 0.0F;
  auto* bytes = reinterpret_cast<signed char*>(to + sizeof(scale));
  for (std::int64_t i = 0; i < n; ++i) {
    // the reciprocal of a tiny scale may be infinite, and a product may round beyond the largest number
    const float q = std::min(std::max(std::nearbyint(static_cast<float>(x[i]) * inverse), -kLargest), kLargest);
    bytes[i] = static_cast<signed char>(q);
  }
}

template <class T>
void pack_halves(const T* x, std::byte* to, std::int64_t n) noexcept {
  auto* halves = reinterpret_cast<BFloat16*>(to);
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) halves[i] = rounded(static_cast<float>(x[i]));
}

}  // namespace

template <class T>
void pack_kept(const KernelArguments& args) {
  const View& x = args.in[0];
  const View& y = args.out[0];
  const KeptForm form = static_cast<const PackKept&>(args.op).form;
  parallel_for(x.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* from = x.as<const T>() + row * x.width;
      std::byte* to = y.as<std::byte>() + row * y.width;
      form == KeptForm::bf16 ? pack_halves(from, to, x.width) : pack_bytes(from, to, x.width);
    }
  });
}

template void pack_kept<float>(const KernelArguments&);
template void pack_kept<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
