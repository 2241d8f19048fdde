#include "engine/backend/cuda/activate.cuh"
#include "engine/backend/cuda/map.cuh"

namespace preamble::cuda {
namespace {

template <class T>
struct SlopeOctets {
  ActivationKind kind;
  __device__ void operator()(float (&x)[2][kOctet]) const {
    kept_slope_octet<T>(kind, x[0]);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) x[0][i] *= x[1][i];
  }
};

/// dx = dy where the bit is set, else 0. A thread owns eight columns of a row: one byte of the mask. dx may be dy.
template <class T>
__global__ void __launch_bounds__(kThreads)
    select_kernel(const std::uint8_t* mask, std::int64_t mask_width, const T* dy, T* dx, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  const std::int64_t first = row * size.columns + column;
  const std::uint32_t bits = mask[row * mask_width + column / kOctet];
  float v[kOctet];
  load(dy + first, left, v);
#pragma unroll
  for (int i = 0; i < kOctet; ++i) v[i] = (bits >> i & 1U) != 0 ? v[i] : 0.0F;
  store(dx + first, left, v);
}

}  // namespace

template <class T>
void activation_grad(const Arguments& args) {
  const auto kind = static_cast<const ActivationGrad&>(args.op).kind;
  if (kind != ActivationKind::relu) {
    return map<T>("activation_grad", args, {ActivationGrad::kKept, ActivationGrad::kGradient}, SlopeOctets<T>{kind});
  }
  const View mask = args.operand(ActivationGrad::kKept), dy = args.operand(ActivationGrad::kGradient);
  const Matrix size{dy.layout, dy.rows, dy.width};
  launch_each("activation_grad", select_kernel<T>, size.bound * octets_of(size.columns), args.queue, mask.as<const std::uint8_t>(),
              mask.width, dy.as<const T>(), args.out[0].as<T>(), size);
}

template void activation_grad<float>(const Arguments&);
template void activation_grad<Bf16>(const Arguments&);

}  // namespace preamble::cuda
