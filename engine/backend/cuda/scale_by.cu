#include "engine/backend/cuda/map.cuh"

namespace preamble::cuda {
namespace {

struct ScaleOctetBy {
  Reals factor;  ///< one number
  __device__ void operator()(float (&x)[1][kOctet]) const {
    const float s = factor[0];
#pragma unroll
    for (float& v : x[0]) v *= s;
  }
};

}  // namespace

template <class T>
void scale_by(const Arguments& args) {
  map<T>("scale_by", args, {0}, ScaleOctetBy{Reals(args.operand(1))});
}

template void scale_by<float>(const Arguments&);
template void scale_by<Bf16>(const Arguments&);

}  // namespace preamble::cuda
