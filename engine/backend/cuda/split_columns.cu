#include "engine/backend/cuda/column_parts.cuh"
#include "engine/ops/split_columns.h"

namespace preamble::cuda {

template <class T>
void split_columns(const Arguments& args) {
  const auto& op = static_cast<const SplitColumns&>(args.op);
  const auto& widths = op.widths;
  if (args.output(0).stride != 0) return;  // the parts lie in x
  move_all_columns<false>(
      "split_columns", widths.size(), [&](std::size_t i) { return args.output(i); }, [&](std::size_t i) { return widths[i]; }, args.in[0],
      args.queue, op.groups);
}

template void split_columns<float>(const Arguments&);
template void split_columns<Bf16>(const Arguments&);

}  // namespace preamble::cuda
