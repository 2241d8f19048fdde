#include "engine/backend/cpu/segment_softmax.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/segment_cross_entropy.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void segment_cross_entropy_grad(const KernelArguments& args) {
  const View& logits = args.in[SegmentCrossEntropyGrad::kLogits];
  const std::int32_t* labels = args.in[SegmentCrossEntropyGrad::kLabels].as<std::int32_t>();
  const double weight = static_cast<double>(*args.in[SegmentCrossEntropyGrad::kWeight].as<T>()) *
                        static_cast<double>(*args.in[SegmentCrossEntropyGrad::kGradient].as<T>());
  const RowLayout& layout = *logits.layout;
  const std::int64_t columns = logits.width;
  parallel_for(layout.segments, kSegmentsATask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) {
      const std::int64_t rows = layout.length(static_cast<std::int32_t>(s));
      const T* x = logits.as<T>() + layout.offsets[s] * columns;
      T* d = args.out[0].as<T>() + layout.offsets[s] * columns;
      for (std::int64_t c = 0; c < columns && rows > 0; ++c) {
        const std::int32_t label = labels[s * columns + c];
        const SegmentSoftmax<T> softmax(x + c, rows, columns);
        const T factor = label >= 0 ? static_cast<T>(weight / softmax.sum) : T{0};
        for (std::int64_t r = 0; r < rows; ++r) d[r * columns + c] = factor * exp_of(x[r * columns + c] - softmax.shift);
        if (label >= 0) d[label * columns + c] -= static_cast<T>(weight);
      }
    }
  });
}

template void segment_cross_entropy_grad<float>(const KernelArguments&);
template void segment_cross_entropy_grad<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
