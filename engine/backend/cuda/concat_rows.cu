#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/ops/concat_rows.h"

namespace preamble::cuda {

template <class T>
void concat_rows(const Arguments& args) {
  const auto& op = static_cast<const ConcatRows&>(args.op);
  const std::int64_t width = args.out[0].width;
  std::int64_t row = 0;
  for (std::size_t i = 0; i < args.in.size(); ++i) {
    copy_rows("concat_rows", {Reals(args.in[i]), 0, width}, {Reals(args.out[0]), row * width, width}, {nullptr, op.counts[i], width},
              args.queue);
    row += op.counts[i];
  }
}

template void concat_rows<float>(const Arguments&);
template void concat_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
