#include "engine/ops/segment_cross_entropy.h"

#include "engine/backend/cpu/segment_softmax.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void segment_cross_entropy(const KernelArguments& args) {
  const View& logits = args.in[SegmentCrossEntropy::kLogits];
  const std::int32_t* labels = args.in[SegmentCrossEntropy::kLabels].as<std::int32_t>();
  const RowLayout& layout = *logits.layout;
  const std::int64_t columns = logits.width;
  double* terms = reinterpret_cast<double*>(args.workspace);
  parallel_for(layout.segments, kSegmentsATask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) {
      const std::int64_t rows = layout.length(static_cast<std::int32_t>(s));
      const T* x = logits.as<T>() + layout.offsets[s] * columns;
      terms[s] = 0;
      for (std::int64_t c = 0; c < columns && rows > 0; ++c) {
        const std::int32_t label = labels[s * columns + c];
        if (label >= 0) terms[s] += SegmentSoftmax<T>(x + c, rows, columns).nll(x[label * columns + c]);
      }
    }
  });
  double sum = 0;
  for (std::int64_t s = 0; s < layout.segments; ++s) sum += terms[s];
  *args.out[0].as<T>() = static_cast<T>(static_cast<double>(*args.in[SegmentCrossEntropy::kWeight].as<T>()) * sum);
}

template void segment_cross_entropy<float>(const KernelArguments&);
template void segment_cross_entropy<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
