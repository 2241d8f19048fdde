#include "engine/backend/cuda/heads.cuh"
#include "engine/ops/pack_heads.h"

namespace preamble::cuda {

template <class T>
void pack_heads(const Arguments& args) {
  const Dims& dims = *args.in[0].dims;
  swap_axes("pack_heads", args.in[0], args.out[0], dims[0] * dims[1], dims[2], dims[3], args.queue);
}

template void pack_heads<float>(const Arguments&);
template void pack_heads<Bf16>(const Arguments&);

}  // namespace preamble::cuda
