#include "engine/backend/cuda/real.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/elementwise.h"

namespace preamble::cuda {
namespace {

__global__ void set_kernel(Reals y, float value) { y.set(0, value); }

}  // namespace

template <class T>
void constant(const Arguments& args) {
  launch("constant", set_kernel, 1, 1, args.queue, Reals(args.out[0]), static_cast<float>(static_cast<const Constant&>(args.op).value));
}

template void constant<float>(const Arguments&);
template void constant<Bf16>(const Arguments&);

}  // namespace preamble::cuda
