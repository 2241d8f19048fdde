#include "engine/backend/cuda/activate.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/gated.h"

namespace preamble::cuda {
namespace {

/// da = f'(a) b dy and db = f(a) dy; either may be absent. A thread owns eight elements and reads all operands before it writes, so that a
/// result may be any operand.
template <class T>
__global__ void __launch_bounds__(kThreads)
    gated_grad_kernel(ActivationKind kind, const T* a, const T* b, const T* dy, T* da, T* db, Matrix size) {
  const std::int64_t first = thread_index() * kOctet;
  const std::int64_t left = size.count() - first;
  if (left <= 0) return;
  float x[kOctet], gate[kOctet], d[kOctet], of_b[kOctet];
  load(a + first, left, x);
  load(dy + first, left, d);
  if (da != nullptr) load(b + first, left, gate);
  if (db != nullptr) {
#pragma unroll
    for (int i = 0; i < kOctet; ++i) of_b[i] = x[i];
    activate_octet<T>(kind, of_b);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) of_b[i] *= d[i];
  }
  if (da != nullptr) {
    slope_octet<T>(kind, x);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) x[i] *= gate[i] * d[i];
    store(da + first, left, x);
  }
  if (db != nullptr) store(db + first, left, of_b);
}

}  // namespace

template <class T>
void gated_grad(const Arguments& args) {
  const View& a = args.in[0];
  const Matrix size{a.layout, a.rows, a.width};
  launch_each("gated_grad", gated_grad_kernel<T>, ceil_div(size.most(), kOctet), args.queue, static_cast<const GatedGrad&>(args.op).kind,
              a.as<const T>(), args.in[1].as<const T>(), args.in[2].as<const T>(), args.output(0).as<T>(), args.output(1).as<T>(), size);
}

template void gated_grad<float>(const Arguments&);
template void gated_grad<Bf16>(const Arguments&);

}  // namespace preamble::cuda
