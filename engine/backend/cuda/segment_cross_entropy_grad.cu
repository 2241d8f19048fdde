#include "engine/backend/cuda/segment_softmax.cuh"
#include "engine/ops/segment_cross_entropy.h"

namespace preamble::cuda {
namespace {

/// d[r, c] = weight dloss (p[r, c] - [r is the label]), 0 where there is no term. A warp owns a column of a segment; d may be the logits.
template <class T>
__global__ void __launch_bounds__(kThreads)
    segment_gradient_kernel(const T* logits, const std::int32_t* labels, Reals weight, Reals dloss, T* d, Matrix size, std::int64_t count) {
  const std::int64_t index = thread_index() / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (index >= count) return;
  const SegmentColumn at(size, labels, index);
  const std::int64_t start = at.begin * size.columns + at.column;
  if (at.label < 0) {
    for (std::int64_t r = lane; r < at.rows; r += kWarp) d[start + r * size.columns] = from_float<T>(0);
    return;
  }
  const SegmentSoftmax softmax(logits + start, at, size.columns, lane);
  const float scale = weight[0] * dloss[0];
  const auto factor = static_cast<float>(static_cast<double>(scale) / softmax.sum);
  for (std::int64_t r = lane; r < at.rows; r += kWarp) {
    const float p = factor * expf(to_float(logits[start + r * size.columns]) - softmax.shift);
    d[start + r * size.columns] = from_float<T>(r == at.label ? p - scale : p);
  }
}

}  // namespace

template <class T>
void segment_cross_entropy_grad(const Arguments& args) {
  using Grad = SegmentCrossEntropyGrad;
  const View& logits = args.in[Grad::kLogits];
  const std::int64_t count = logits.segments * logits.width;
  launch_each("segment_cross_entropy_grad", segment_gradient_kernel<T>, count * kWarp, args.queue, logits.as<const T>(),
              args.in[Grad::kLabels].as<const std::int32_t>(), Reals(args.in[Grad::kWeight]), Reals(args.in[Grad::kGradient]),
              args.out[0].as<T>(), Matrix{logits.layout, logits.rows, logits.width}, count);
}

template void segment_cross_entropy_grad<float>(const Arguments&);
template void segment_cross_entropy_grad<Bf16>(const Arguments&);

}  // namespace preamble::cuda
