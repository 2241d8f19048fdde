#include "engine/backend/cuda/column_parts.cuh"
#include "engine/ops/columns.h"

namespace preamble::cuda {

template <class T>
void slice_columns(const Arguments& args) {
  const auto& op = static_cast<const SliceColumns&>(args.op);
  ColumnParts parts;
  parts.first = op.first;
  parts.add(Reals(args.out[0]), op.count);
  move_columns<false>("slice_columns", parts, args.in[0], args.queue);
}

template void slice_columns<float>(const Arguments&);
template void slice_columns<Bf16>(const Arguments&);

}  // namespace preamble::cuda
