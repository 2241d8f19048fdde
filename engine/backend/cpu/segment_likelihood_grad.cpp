#include "engine/backend/cpu/softmax_loss.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/segment_likelihood.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void segment_likelihood_grad(const KernelArguments& args) {
  const View& logits = args.in[SegmentLikelihoodGrad::kLogits];
  const std::int32_t* labels = args.in[SegmentLikelihoodGrad::kLabels].as<std::int32_t>();
  const T* dy = args.in[SegmentLikelihoodGrad::kGradient].as<T>();
  const RowLayout& layout = *logits.layout;
  T* d = args.out[0].as<T>();
  const std::int64_t n = logits.width;
  parallel_for(layout.segments, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) {
      for (std::int64_t r = layout.offsets[s]; r < layout.offsets[s + 1]; ++r) {
        row_loss_and_gradient(logits.as<T>() + r * n, labels[r], 0, -static_cast<double>(dy[s]), d + r * n, n);
      }
    }
  });
}

template void segment_likelihood_grad<float>(const KernelArguments&);
template void segment_likelihood_grad<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
