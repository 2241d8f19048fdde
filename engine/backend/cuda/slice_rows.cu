#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/ops/concat_rows.h"

namespace preamble::cuda {

template <class T>
void slice_rows(const Arguments& args) {
  const auto& op = static_cast<const SliceRows&>(args.op);
  const View& x = args.in[0];
  const View& y = args.out[0];
  copy_rows("slice_rows", {Reals(x), op.first * x.width, x.width}, {Reals(y), 0, x.width}, {nullptr, op.count, x.width}, args.queue);
  clear("slice_rows", y, op.count * x.width, y.rows * y.width - op.count * x.width, args.queue);
}

template void slice_rows<float>(const Arguments&);
template void slice_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
