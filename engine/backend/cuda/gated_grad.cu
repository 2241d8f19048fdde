#include "engine/backend/cuda/activate.cuh"
#include "engine/backend/cuda/columns.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/gated.h"

namespace preamble::cuda {
namespace {

/// da = f'(a) b dy and db = f(a) dy; either may be absent. A thread owns eight columns of a row and reads all operands before it writes, so that a
/// result may be any operand.
template <class T>
__global__ void __launch_bounds__(kThreads)
    gated_grad_kernel(ActivationKind kind, Columns<T> a, Columns<T> b, Columns<T> dy, Columns<T> da, Columns<T> db, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  float x[kOctet], gate[kOctet], d[kOctet], of_b[kOctet];
  load(a.at(row, column), left, x);
  load(dy.at(row, column), left, d);
  load(b.at(row, column), left, gate);
  // f and f' have most of their operations in common
  with_kind(kind, [&]<ActivationKind k>() {
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      of_b[i] = activate<k, T>(x[i]) * d[i];
      x[i] = activate_slope<k, T>(x[i]) * (gate[i] * d[i]);
    }
  });
  if (da) store(da.at(row, column), left, x);
  if (db) store(db.at(row, column), left, of_b);
}

}  // namespace

template <class T>
void gated_grad(const Arguments& args) {
  const View& a = args.in[0];
  const Matrix size{a.layout, a.rows, a.width};
  launch_each("gated_grad", gated_grad_kernel<T>, size.bound * octets_of(size.columns), args.queue, static_cast<const GatedGrad&>(args.op).kind,
              Columns<T>(a), Columns<T>(args.in[1]), Columns<T>(args.in[2]), Columns<T>(args.output(0)), Columns<T>(args.output(1)), size);
}

template void gated_grad<float>(const Arguments&);
template void gated_grad<Bf16>(const Arguments&);

}  // namespace preamble::cuda
