#include "engine/backend/cuda/loss_rows.cuh"
#include "engine/ops/segment_likelihood.h"

namespace preamble::cuda {
namespace {

/// y[s] = -Σ terms[r] over the rows of segment s, 0 where there is none. A warp owns a row of y; its lanes share the rows of the segment.
__global__ void __launch_bounds__(kThreads) segment_sums_kernel(const double* terms, const Layout* layout, Reals y, Matrix size) {
  const std::int64_t segment = thread_index() / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (segment >= size.rows()) return;
  double sum = 0;
  if (segment < layout->segments) {
    for (std::int32_t r = layout->offsets[segment] + lane; r < layout->offsets[segment + 1]; r += kWarp) sum -= terms[r];
  }
  sum = warp_sum(sum);
  if (lane == 0) y.set(segment, static_cast<float>(sum));
}

}  // namespace

/// The loss of each row, then its sums over segments.
template <class T>
void segment_likelihood(const Arguments& args) {
  const View& logits = args.in[SegmentLikelihood::kLogits];
  const View& y = args.out[0];
  LossRows call;
  call.size = {logits.layout, logits.rows, logits.width};
  call.labels = args.in[SegmentLikelihood::kLabels].as<const std::int32_t>();
  call.terms = reinterpret_cast<double*>(args.scratch);
  loss_rows<T, T>("segment_likelihood", call, logits.rows, logits.as<const T>(), logits.width, nullptr, 0, args.queue);
  const Matrix size{y.layout, y.rows, 1};
  launch_each("segment_likelihood", segment_sums_kernel, size.bound * kWarp, args.queue, static_cast<const double*>(call.terms),
              logits.layout, Reals(y), size);
}

template void segment_likelihood<float>(const Arguments&);
template void segment_likelihood<Bf16>(const Arguments&);

}  // namespace preamble::cuda
