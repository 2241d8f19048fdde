#include "engine/ops/segment_likelihood.h"

#include <algorithm>

#include "engine/backend/cpu/softmax_loss.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void segment_likelihood(const KernelArguments& args) {
  const View& logits = args.in[SegmentLikelihood::kLogits];
  const std::int32_t* labels = args.in[SegmentLikelihood::kLabels].as<std::int32_t>();
  const RowLayout& layout = *logits.layout;
  const View& y = args.out[0];
  const std::int64_t n = logits.width;
  parallel_for(y.rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) {
      double sum = 0;
      for (std::int64_t r = s < layout.segments ? layout.offsets[s] : 0; s < layout.segments && r < layout.offsets[s + 1]; ++r) {
        sum -= row_loss(logits.as<T>() + r * n, labels[r], 0, n).nll;
      }
      y.as<T>()[s] = static_cast<T>(sum);
    }
  });
}

template void segment_likelihood<float>(const KernelArguments&);
template void segment_likelihood<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
