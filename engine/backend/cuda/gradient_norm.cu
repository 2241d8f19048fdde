#include <cmath>

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/tensor_list.cuh"
#include "engine/ops/gradient_norm.h"

namespace preamble::cuda {
namespace {

constexpr int kNormThreads = 512;

/// partial[b] = Σ g² of a block of a gradient, in double. A block of threads owns it.
__global__ void __launch_bounds__(kNormThreads) squares_kernel(__grid_constant__ const TensorList<1> list, double* partial) {
  const auto [tensor, block] = list.find(static_cast<std::int32_t>(blockIdx.x));
  const std::int64_t begin = block * GradientNorm::kBlock, count = list.count(tensor);
  const std::int64_t end = begin + GradientNorm::kBlock < count ? begin + GradientNorm::kBlock : count;
  double sum = 0;
  for (std::int64_t first = begin + threadIdx.x * kOctet; first < end; first += kNormThreads * kOctet) {
    float g[kOctet];
    load(list.data[0][tensor] + first, end - first, g);
#pragma unroll
    for (const float x : g) sum += static_cast<double>(x) * static_cast<double>(x);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

struct Results {
  float* scale;  ///< may be absent, as the other
  double* report;
};

/// Adds the parts in a fixed order and says what gradients are multiplied by. One block.
__global__ void __launch_bounds__(kNormThreads)
    clip_kernel(const double* partial, std::int64_t count, const void* loss, bool wide_loss, double max_norm, Results results) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += kNormThreads) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x != 0) return;
  const double given = wide_loss ? *static_cast<const double*>(loss) : static_cast<double>(*static_cast<const float*>(loss));
  const double norm = sqrt(sum);
  const double factor = max_norm > 0 ? fmin(1.0, max_norm / (norm + 1e-6)) : 1.0;
  const bool sound = isfinite(given) && isfinite(norm);
  if (results.scale != nullptr) *results.scale = sound ? static_cast<float>(factor) : NAN;
  if (results.report == nullptr) return;
  results.report[0] = given;
  results.report[1] = norm;
}

}  // namespace

template <class T>
void gradient_norm(const Arguments& args) {
  const auto& op = static_cast<const GradientNorm&>(args.op);
  const std::size_t gradients = args.in.size() - 1;
  const View& loss = args.in[gradients];
  auto* partial = args.output(GradientNorm::kPartial).as<double>();
  if (partial == nullptr) partial = reinterpret_cast<double*>(args.scratch);
  std::int64_t blocks = 0;
  for_tensor_lists<1>(
      "gradient_norm", gradients, [&](std::size_t i) { return args.in.subspan(i); },
      [](const View& v) { return GradientNorm::blocks(v.rows * v.width); },
      [&](const TensorList<1>& list) {
        launch("gradient_norm", squares_kernel, list.blocks(), kNormThreads, args.queue, list, partial + blocks);
        blocks += list.blocks();
      });
  launch("gradient_norm", clip_kernel, 1, kNormThreads, args.queue, partial, blocks, loss.data, loss.dtype == Dtype::f64, op.max_norm,
         Results{args.output(GradientNorm::kScale).as<float>(), args.output(GradientNorm::kReport).as<double>()});
}

template void gradient_norm<float>(const Arguments&);
template void gradient_norm<Bf16>(const Arguments&);

}  // namespace preamble::cuda
