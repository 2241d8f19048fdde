#include "engine/backend/cuda/segment_softmax.cuh"
#include "engine/backend/cuda/total.cuh"
#include "engine/ops/segment_cross_entropy.h"

namespace preamble::cuda {
namespace {

/// terms[s · columns + c] = the loss of a column of a segment, 0 where there is none. A warp owns it.
template <class T>
__global__ void __launch_bounds__(kThreads)
    segment_loss_kernel(const T* logits, const std::int32_t* labels, Matrix size, std::int64_t count, double* terms) {
  const std::int64_t index = thread_index() / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (index >= count) return;
  const SegmentColumn at(size, labels, index);
  double term = 0;
  if (at.label >= 0) {
    const T* x = logits + at.begin * size.columns + at.column;
    const SegmentSoftmax softmax(x, at, size.columns, lane);
    term = log(softmax.sum) + (static_cast<double>(softmax.shift) - static_cast<double>(to_float(x[at.label * size.columns])));
  }
  if (lane == 0) terms[index] = term;
}

}  // namespace

template <class T>
void segment_cross_entropy(const Arguments& args) {
  const View& logits = args.in[SegmentCrossEntropy::kLogits];
  const std::int64_t count = logits.segments * logits.width;
  auto* terms = reinterpret_cast<double*>(args.scratch);
  launch_each("segment_cross_entropy", segment_loss_kernel<T>, count * kWarp, args.queue, logits.as<const T>(),
              args.in[SegmentCrossEntropy::kLabels].as<const std::int32_t>(), Matrix{logits.layout, logits.rows, logits.width}, count,
              terms);
  launch("segment_cross_entropy", total_kernel, 1, 1024, args.queue, terms, Matrix{nullptr, count, 1},
         Reals(args.in[SegmentCrossEntropy::kWeight]), Reals(args.out[0]));
}

template void segment_cross_entropy<float>(const Arguments&);
template void segment_cross_entropy<Bf16>(const Arguments&);

}  // namespace preamble::cuda
