#include "engine/backend/cuda/loss_rows.cuh"
#include "engine/ops/segment_likelihood.h"

namespace preamble::cuda {
namespace {

/// weights[r] = -dy[segment of r]. A thread owns a row.
__global__ void __launch_bounds__(kThreads) row_weights_kernel(Reals dy, const Layout* layout, float* weights) {
  const std::int64_t row = thread_index();
  if (row < layout->rows) weights[row] = -dy[layout->segment_of_row[row]];
}

}  // namespace

/// dlogits is the gradient of the loss of each row, weighted with what its segment's score is worth.
template <class T>
void segment_likelihood_grad(const Arguments& args) {
  using Grad = SegmentLikelihoodGrad;
  const View& logits = args.in[Grad::kLogits];
  View weights;
  weights.data = args.scratch;
  launch_each("segment_likelihood_grad", row_weights_kernel, logits.rows, args.queue, Reals(args.in[Grad::kGradient]), logits.layout,
              weights.as<float>());
  LossRows call;
  call.size = {logits.layout, logits.rows, logits.width};
  call.labels = args.in[Grad::kLabels].as<const std::int32_t>();
  call.weight = Reals(weights);
  call.weighs_rows = true;
  loss_rows("segment_likelihood_grad", call, logits.rows, logits.as<const T>(), logits.width, args.out[0].as<T>(), logits.width, args.queue);
}

template void segment_likelihood_grad<float>(const Arguments&);
template void segment_likelihood_grad<Bf16>(const Arguments&);

}  // namespace preamble::cuda
