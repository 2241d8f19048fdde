#include "engine/backend/cuda/heads.cuh"
#include "engine/ops/pack_heads.h"

namespace preamble::cuda {

template <class T>
void unpack_heads(const Arguments& args) {
  const Dims& dims = *args.out[0].dims;
  swap_axes("unpack_heads", args.in[0], args.out[0], dims[2], dims[0] * dims[1], dims[3], args.queue);
}

template void unpack_heads<float>(const Arguments&);
template void unpack_heads<Bf16>(const Arguments&);

}  // namespace preamble::cuda
