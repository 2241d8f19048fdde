#include "engine/backend/cuda/activate.cuh"
#include "engine/backend/cuda/map.cuh"
#include "engine/ops/gated.h"

namespace preamble::cuda {
namespace {

template <class T>
struct GateOctets {
  ActivationKind kind;
  __device__ void operator()(float (&x)[2][kOctet]) const {
    activate_octet<T>(kind, x[0]);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) x[0][i] *= x[1][i];
  }
};

}  // namespace

template <class T>
void gated(const Arguments& args) {
  map<T>("gated", args, {0, 1}, GateOctets<T>{static_cast<const Gated&>(args.op).kind});
}

template void gated<float>(const Arguments&);
template void gated<Bf16>(const Arguments&);

}  // namespace preamble::cuda
