#include <cmath>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/rotary.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void rotary_angles(const KernelArguments& args) {
  const auto& op = static_cast<const RotaryAngles&>(args.op);
  const auto* positions = args.in[RotaryAngles::kPositions].as<const std::int32_t>();
  const auto* counts = op.grows() ? args.in[RotaryAngles::kCounts].as<const std::int32_t>() : nullptr;
  const View& y = args.out[0];
  const std::int64_t m = y.width / 2;
  parallel_for(y.rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      T* row = y.as<T>() + r * y.width;
      const double ratio = counts == nullptr ? 1 : op.growth.ratio(counts[r]);
      const double step = ratio == 1 ? 1 : std::pow(ratio, -1.0 / static_cast<double>(m - 1));
      double scale = 1;
      for (std::int64_t i = 0; i < m; ++i, scale *= step) {
        const double angle = positions[r] * (op.frequencies[static_cast<std::size_t>(i)] * scale);
        row[i] = static_cast<T>(op.factor * std::cos(angle));
        row[m + i] = static_cast<T>(op.factor * std::sin(angle));
      }
    }
  });
}

template void rotary_angles<float>(const KernelArguments&);
template void rotary_angles<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
