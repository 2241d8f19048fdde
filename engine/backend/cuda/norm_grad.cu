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

/// A block owns every gridDim-th row, one after the other, in registers: all operands are read once, dx is written once. Gradients of the
/// parameters, if there are any, are summed in registers over the block's rows and left behind as one part of the sums.
template <int held, bool parameters, class T>
__global__ void __launch_bounds__(kMostNormThreads) norm_grad_kernel(NormGradCall<T> call) {
  const std::int64_t width = call.size.columns, rows = call.size.rows();
  float dscale[parameters ? held : 1][kOctet] = {}, dbias[parameters ? held : 1][kOctet] = {};
  for (std::int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    NormRow<held> x, g, other;
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const std::int64_t first = x.first(k), left = width - first;
      float v[3][kOctet];
      load_each<3, T>({call.x, call.dy, call.dsum != nullptr ? call.dsum : call.x}, r * width + first, left, v);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) x.v[k][i] = v[0][i], g.v[k][i] = v[1][i], other.v[k][i] = call.dsum != nullptr ? v[2][i] : 0.0F;
    }
    const float mean = x.mean(call.kind, width);
    float raw[parameters ? held : 1][kOctet];
    // of squares around the mean, of dy · scale, of that times what lies around the mean
    float sums[3] = {x.squares(mean, width), 0, 0};
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const std::int64_t first = x.first(k), left = width - first;
      float scale[kOctet];
      if (call.scale) load(call.scale, first, left, scale);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) {
        if constexpr (parameters) raw[k][i] = g.v[k][i];
        if (call.scale) g.v[k][i] *= scale[i];
        sums[1] += g.v[k][i];
        sums[2] += g.v[k][i] * (i < left ? x.v[k][i] - mean : 0.0F);
      }
    }
    block_sums(sums);
    const float rstd = x.rstd(sums[0], call.epsilon, width);
    if constexpr (parameters) {
#pragma unroll
      for (int k = 0; k < held; ++k) {
        const std::int64_t left = width - x.first(k);
#pragma unroll
        for (int i = 0; i < kOctet; ++i) {
          dbias[k][i] += raw[k][i];
          dscale[k][i] += i < left ? raw[k][i] * (x.v[k][i] - mean) * rstd : 0.0F;
        }
      }
      if (call.dx == nullptr) continue;
    }
    const float count = static_cast<float>(width);
    const float center = call.kind == NormKind::layer ? sums[1] / count : 0.0F;
    const float slope = sums[2] * rstd * rstd / count;
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const std::int64_t first = x.first(k), left = width - first;
#pragma unroll
      for (int i = 0; i < kOctet; ++i) {
        g.v[k][i] = rstd * (g.v[k][i] - center - (x.v[k][i] - mean) * slope) + other.v[k][i];
      }
      store(call.dx + r * width + first, left, g.v[k]);
    }
  }
  if constexpr (parameters) {
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const std::int64_t first = NormRow<held>::first(k), left = width - first, at = blockIdx.x * width + first;
      if (call.scale_parts != nullptr) store(call.scale_parts + at, left, dscale[k]);
      if (call.bias_parts != nullptr) store(call.bias_parts + at, left, dbias[k]);
    }
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
    if (dscale || dbias) return launch("norm_grad", norm_grad_kernel<held, true, T>, kNormParts, threads, args.queue, call);
    launch("norm_grad", norm_grad_kernel<held, false, T>, size.bound, threads, args.queue, call);
  });
  if (dscale) add_parts("norm_grad", scale_parts, kNormParts, size.columns, dscale, false, args.queue);
  if (dbias) add_parts("norm_grad", bias_parts, kNormParts, size.columns, dbias, false, args.queue);
}

template void norm_grad<float>(const Arguments&);
template void norm_grad<Bf16>(const Arguments&);

}  // namespace preamble::cuda
