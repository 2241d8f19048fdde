#include "engine/backend/cuda/activate.cuh"
#include "engine/backend/cuda/columns.cuh"
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

/// Of a and b that are columns of wider values. A thread owns eight columns of a row.
template <class T>
__global__ void __launch_bounds__(kThreads) gated_columns_kernel(GateOctets<T> gate, Columns<T> a, Columns<T> b, T* y, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  float x[2][kOctet];
  load(a.at(row, column), left, x[0]);
  load(b.at(row, column), left, x[1]);
  gate(x);
  store(y + row * size.columns + column, left, x[0]);
}

}  // namespace

template <class T>
void gated(const Arguments& args) {
  const GateOctets<T> gate{static_cast<const Gated&>(args.op).kind};
  const View &a = args.in[0], &b = args.in[1], &y = args.out[0];
  if (a.stride == 0 && b.stride == 0) return map<T>("gated", args, {0, 1}, gate);
  const Matrix size = matrix_of(y);
  launch_each("gated", gated_columns_kernel<T>, size.bound * octets_of(size.columns), args.queue, gate, Columns<T>(a), Columns<T>(b), y.as<T>(), size);
}

template void gated<float>(const Arguments&);
template void gated<Bf16>(const Arguments&);

}  // namespace preamble::cuda
