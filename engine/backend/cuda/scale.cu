#include "engine/backend/cuda/map.cuh"
#include "engine/ops/elementwise.h"

namespace preamble::cuda {
namespace {

struct ScaleOctet {
  float factor;
  __device__ void operator()(float (&x)[1][kOctet]) const {
#pragma unroll
    for (float& v : x[0]) v *= factor;
  }
};

}  // namespace

template <class T>
void scale(const Arguments& args) {
  map<T>("scale", args, {0}, ScaleOctet{static_cast<float>(static_cast<const Scale&>(args.op).factor)});
}

template void scale<float>(const Arguments&);
template void scale<Bf16>(const Arguments&);

}  // namespace preamble::cuda
