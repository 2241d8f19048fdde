#include "engine/backend/cuda/column_sums.cuh"
#include "engine/backend/cuda/norm_row.cuh"

namespace preamble::cuda {
namespace {

template <class T>
struct NormGradCall {
  NormKind kind;
  float epsilon;
  const T* x;
  const T* dy;
  const T* dsum;       ///< may be absent
  Reals scale;         ///< may be absent
  T* dx;               ///< may be absent, and may be x, dy or dsum
  float* scale_parts;  ///< [blocks, columns]; may be absent
  float* bias_parts;   ///< likewise
  Matrix size;
};

/// A block owns every gridDim-th row, one after the other, in registers: all operands are read once, dx is written once. The parameters'
/// gradients of its rows are summed in registers and left behind as one part of the sums.
template <int held, class T>
__global__ void __launch_bounds__(kMostNormThreads) norm_grad_kernel(NormGradCall<T> call) {
  const std::int64_t width = call.size.columns, rows = call.size.rows();
  float dscale[held][kOctet] = {}, dbias[held][kOctet] = {};
  for (std::int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    NormRow<held> x, g;
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const std::int64_t first = x.first(k), left = width - first;
      load(call.x + r * width + first, left, x.v[k]);
      load(call.dy + r * width + first, left, g.v[k]);
    }
    const NormStatistics s = x.statistics(call.kind, call.epsilon, width);
    float sum = 0, product = 0;
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const std::int64_t first = x.first(k), left = width - first;
      float scale[kOctet];
      if (call.scale) load(call.scale, first, left, scale);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) {
        const float centered = i < left ? x.v[k][i] - s.mean : 0.0F;
        if (call.bias_parts != nullptr) dbias[k][i] += g.v[k][i];
        if (call.scale_parts != nullptr) dscale[k][i] += g.v[k][i] * centered * s.rstd;
        if (call.scale) g.v[k][i] *= scale[i];
        sum += g.v[k][i];
        product += g.v[k][i] * centered;
      }
    }
    if (call.dx == nullptr) continue;
    const float count = static_cast<float>(width);
    const float2 sums = block_sums({sum, product});
    const float center = call.kind == NormKind::layer ? sums.x / count : 0.0F;
    const float slope = sums.y * s.rstd * s.rstd / count;
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const std::int64_t first = x.first(k), left = width - first;
      float other[kOctet] = {};
      if (call.dsum != nullptr) load(call.dsum + r * width + first, left, other);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) g.v[k][i] = s.rstd * (g.v[k][i] - center - (x.v[k][i] - s.mean) * slope) + other[i];
      store(call.dx + r * width + first, left, g.v[k]);
    }
  }
#pragma unroll
  for (int k = 0; k < held; ++k) {
    const std::int64_t first = NormRow<held>::first(k), left = width - first, at = blockIdx.x * width + first;
    if (call.scale_parts != nullptr) store(call.scale_parts + at, left, dscale[k]);
    if (call.bias_parts != nullptr) store(call.bias_parts + at, left, dbias[k]);
  }
}

}  // namespace

template <class T>
void norm_grad(const Arguments& args) {
  const auto& op = static_cast<const NormGrad&>(args.op);
  const View& x = args.in[NormGrad::kInput];
  const View dscale = args.output(1), dbias = args.output(2);
  const Matrix size = Matrix{x.layout, x.rows, x.width}.in_parts(op.parts);
  auto* scale_parts = reinterpret_cast<float*>(args.scratch);
  float* bias_parts = scale_parts + (dscale ? kNormParts * size.columns : 0);
  const NormGradCall<T> call{op.kind,
                             static_cast<float>(op.epsilon),
                             x.as<const T>(),
                             args.in[NormGrad::kGradient].as<const T>(),
                             args.operand(NormGrad::kSumGradient).as<const T>(),
                             Reals(args.operand(NormGrad::kScale)),
                             args.output(0).as<T>(),
                             dscale ? scale_parts : nullptr,
                             dbias ? bias_parts : nullptr,
                             size};
  with_norm_row("norm_grad", size.columns, [&]<int held>(int threads) {
    // as many blocks as run at once: rows are independent of each other
    constexpr std::int64_t kThreadsOfMultiprocessor = 2048;
    const std::int64_t at_once = args.queue.multiprocessors * (kThreadsOfMultiprocessor / threads);
    const std::int64_t blocks = dscale || dbias ? kNormParts : size.bound < at_once ? size.bound : at_once;
    launch("norm_grad", norm_grad_kernel<held, T>, blocks, threads, args.queue, call);
  });
  if (dscale) add_parts("norm_grad", scale_parts, kNormParts, size.columns, dscale, false, args.queue);
  if (dbias) add_parts("norm_grad", bias_parts, kNormParts, size.columns, dbias, false, args.queue);
}

template void norm_grad<float>(const Arguments&);
template void norm_grad<Bf16>(const Arguments&);

}  // namespace preamble::cuda
