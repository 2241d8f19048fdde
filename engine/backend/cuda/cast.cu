#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/ops/cast.h"

namespace preamble::cuda {

template <class T>
void cast(const Arguments& args) {
  const View& x = args.in[0];
  const View& y = args.out[0];
  if (x.layout == nullptr) return copy_elements("cast", Reals(x), 0, Reals(y), 0, x.width, args.queue);
  copy_rows("cast", {Reals(x), 0, x.width}, {Reals(y), 0, x.width}, {x.layout, x.rows, x.width}, args.queue);
}

template void cast<float>(const Arguments&);
template void cast<Bf16>(const Arguments&);

}  // namespace preamble::cuda
