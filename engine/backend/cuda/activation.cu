#include "engine/backend/cuda/finish_rows.cuh"
#include "engine/backend/cuda/map.cuh"
#include "engine/ops/activation.h"

namespace preamble::cuda {
namespace {

template <class T>
struct ActivateOctet {
  ActivationKind kind;
  __device__ void operator()(float (&x)[1][kOctet]) const { activate_octet<T>(kind, x[0]); }
};

}  // namespace

template <class T>
void activation(const Arguments& args) {
  const auto kind = static_cast<const Activation&>(args.op).kind;
  if (args.output(1)) {
    finish_rows<T>("activation", kind, args.in[0], args.output(0), args.output(1), args.queue);
  } else {
    map<T>("activation", args, {0}, ActivateOctet<T>{kind});
  }
}

template void activation<float>(const Arguments&);
template void activation<Bf16>(const Arguments&);

}  // namespace preamble::cuda
