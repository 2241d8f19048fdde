#include <algorithm>

#include "engine/backend/cuda/real.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/rotary.h"

namespace preamble::cuda {
namespace {

/// A kernel parameter.
struct Frequencies {
  static constexpr int kMost = 256;
  double of[kMost];
};

/// A thread owns one angle of one row.
__global__ void __launch_bounds__(kThreads) rotary_angles_kernel(const __grid_constant__ Frequencies frequencies, std::int64_t count, double factor,
                                                                 RotaryGrowth growth, const std::int32_t* positions, const std::int32_t* counts,
                                                                 float* y, Matrix size) {
  const std::int64_t thread = thread_index();
  const std::int64_t row = thread / count, i = thread % count;
  if (row >= size.rows()) return;
  double frequency = frequencies.of[i];
  if (counts != nullptr && counts[row] > growth.original_length) {
    const double ratio = growth.factor * counts[row] / growth.original_length - (growth.factor - 1);
    frequency *= pow(ratio, -static_cast<double>(i) / static_cast<double>(count - 1));
  }
  double sine, cosine;
  sincos(positions[row] * frequency, &sine, &cosine);
  y[row * size.columns + i] = static_cast<float>(factor * cosine);
  y[row * size.columns + count + i] = static_cast<float>(factor * sine);
}

}  // namespace

template <class T>
void rotary_angles(const Arguments& args) {
  const auto& op = static_cast<const RotaryAngles&>(args.op);
  const View y = args.output(0);
  if (!y) return;
  if (op.frequencies.size() > Frequencies::kMost) {
    fail("rotary_angles: ", op.frequencies.size(), " frequencies were given; wanted at most ", Frequencies::kMost, " on a GPU");
  }
  Frequencies frequencies{};
  std::copy(op.frequencies.begin(), op.frequencies.end(), frequencies.of);
  const auto count = static_cast<std::int64_t>(op.frequencies.size());
  launch_each("rotary_angles", rotary_angles_kernel, y.rows * count, args.queue, frequencies, count, op.factor, op.growth,
              args.operand(RotaryAngles::kPositions).as<const std::int32_t>(),
              op.grows() ? args.operand(RotaryAngles::kCounts).as<const std::int32_t>() : nullptr, y.as<float>(), Matrix{y.layout, y.rows, y.width});
}

template void rotary_angles<float>(const Arguments&);
template void rotary_angles<Bf16>(const Arguments&);

}  // namespace preamble::cuda
