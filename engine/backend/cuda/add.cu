#include "engine/backend/cuda/map.cuh"

namespace preamble::cuda {
namespace {

struct AddOctets {
  __device__ void operator()(float (&x)[2][kOctet]) const {
#pragma unroll
    for (int i = 0; i < kOctet; ++i) x[0][i] += x[1][i];
  }
};

}  // namespace

template <class T>
void add(const Arguments& args) {
  map<T>("add", args, {0, 1}, AddOctets{});
}

template void add<float>(const Arguments&);
template void add<Bf16>(const Arguments&);

}  // namespace preamble::cuda
