#include "engine/backend/cuda/column_parts.cuh"
#include "engine/ops/columns.h"

namespace preamble::cuda {

template <class T>
void pad_columns(const Arguments& args) {
  const auto& op = static_cast<const PadColumns&>(args.op);
  const std::int64_t columns = matrix_of(args.in[0]).columns;
  ColumnParts parts;
  if (op.first > 0) parts.add(Reals(), op.first);
  parts.add(Reals(args.in[0]), columns);
  if (op.first + columns < op.width) parts.add(Reals(), op.width - op.first - columns);
  move_columns<true>("pad_columns", parts, args.out[0], args.queue);
}

template void pad_columns<float>(const Arguments&);
template void pad_columns<Bf16>(const Arguments&);

}  // namespace preamble::cuda
