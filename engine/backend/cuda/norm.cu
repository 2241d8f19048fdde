#include "engine/backend/cuda/norm_row.cuh"
#include "engine/ops/norm.h"

namespace preamble::cuda {
namespace {

template <class T>
struct NormCall {
  NormKind kind;
  float epsilon;
  const T* x;
  const T* residual;  ///< may be absent
  Reals scale, bias;  ///< may be absent
  T* y;               ///< absent if the sum alone is read
  T* sum;             ///< may be absent
  Matrix size;
};

/// A block owns a row and holds it in registers: x and residual are read once, y and sum written once; either may be an operand.
template <int held, class T>
__global__ void __launch_bounds__(kMostNormThreads) norm_kernel(NormCall<T> call) {
  const std::int64_t width = call.size.columns, start = blockIdx.x * width;
  if (blockIdx.x >= call.size.rows()) return;
  NormRow<held> row;
#pragma unroll
  for (int k = 0; k < held; ++k) {
    const std::int64_t first = row.first(k), left = width - first;
    if (call.residual == nullptr) {
      load(call.x + start + first, left, row.v[k]);
      continue;
    }
    float v[2][kOctet];
    load_each<2, T>({call.x, call.residual}, start + first, left, v);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) row.v[k][i] = v[0][i] + v[1][i];
    round_to<T>(row.v[k]);  // what is normalised is what the gradient reads
    if (call.sum != nullptr) store(call.sum + start + first, left, row.v[k]);
  }
  if (call.y == nullptr) return;
  const float mean = row.mean(call.kind, width);
  const float rstd = row.rstd(block_sum(row.squares(mean, width)), call.epsilon, width);
#pragma unroll
  for (int k = 0; k < held; ++k) {
    const std::int64_t first = row.first(k), left = width - first;
#pragma unroll
    for (int i = 0; i < kOctet; ++i) row.v[k][i] = (row.v[k][i] - mean) * rstd;
    float parameter[kOctet];
    if (call.scale) {
      load(call.scale, first, left, parameter);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) row.v[k][i] *= parameter[i];
    }
    if (call.bias) {
      load(call.bias, first, left, parameter);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) row.v[k][i] += parameter[i];
    }
    store(call.y + start + first, left, row.v[k]);
  }
}

}  // namespace

template <class T>
void norm(const Arguments& args) {
  const auto& op = static_cast<const Norm&>(args.op);
  const View& x = args.in[Norm::kInput];
  const NormCall<T> call{op.kind,
                         static_cast<float>(op.epsilon),
                         x.as<const T>(),
                         op.adds ? args.operand(Norm::kResidual).as<const T>() : nullptr,
                         Reals(args.operand(Norm::kScale)),
                         Reals(args.operand(Norm::kBias)),
                         args.output(0).as<T>(),
                         op.adds ? args.output(1).as<T>() : nullptr,
                         Matrix{x.layout, x.rows, x.width}.in_parts(op.parts)};
  with_norm_row("norm", call.size.columns,
                [&]<int held>(int threads) { launch("norm", norm_kernel<held, T>, call.size.bound, threads, args.queue, call); });
}

template void norm<float>(const Arguments&);
template void norm<Bf16>(const Arguments&);

}  // namespace preamble::cuda
