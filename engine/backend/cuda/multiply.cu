#include "engine/backend/cuda/map.cuh"

namespace preamble::cuda {
namespace {

struct MultiplyOctets {
  __device__ void operator()(float (&x)[2][kOctet]) const {
#pragma unroll
    for (int i = 0; i < kOctet; ++i) x[0][i] *= x[1][i];
  }
};

}  // namespace

template <class T>
void multiply(const Arguments& args) {
  map<T>("multiply", args, {0, 1}, MultiplyOctets{});
}

template void multiply<float>(const Arguments&);
template void multiply<Bf16>(const Arguments&);

}  // namespace preamble::cuda
