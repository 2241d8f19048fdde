#include "engine/backend/cuda/column_parts.cuh"
#include "engine/ops/split_columns.h"

namespace preamble::cuda {

template <class T>
void join_columns(const Arguments& args) {
  const auto& op = static_cast<const JoinColumns&>(args.op);
  const auto& widths = op.widths;
  if (args.operand(0).stride != 0) return;  // the parts were made in the result
  move_all_columns<true>(
      "join_columns", widths.size(), [&](std::size_t i) { return args.operand(i); }, [&](std::size_t i) { return widths[i]; }, args.out[0],
      args.queue, op.groups);
}

template void join_columns<float>(const Arguments&);
template void join_columns<Bf16>(const Arguments&);

}  // namespace preamble::cuda
