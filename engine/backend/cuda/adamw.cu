#include "engine/backend/cuda/update.cuh"
#include "engine/ops/adamw.h"

namespace preamble::cuda {
namespace {

/// A block owns some elements of a parameter: value and moments are read and written once. Products and sums are rounded one by one, as on
/// the CPU.
__global__ void __launch_bounds__(kThreads)
    adamw_kernel(__grid_constant__ const TensorList<4> list, UpdateNumbers numbers, AdamWOptions options) {
  __shared__ float step_size, root, keep;
  if (!numbers.sound()) return;
  if (threadIdx.x == 0) {
    const auto t = static_cast<double>(*numbers.step + 1);
    step_size = static_cast<float>(*numbers.learning_rate / (1 - pow(options.beta1, t)));
    root = static_cast<float>(1 / sqrt(1 - pow(options.beta2, t)));
    keep = static_cast<float>(1 - *numbers.learning_rate * options.weight_decay);
  }
  __syncthreads();
  const auto b1 = static_cast<float>(options.beta1), b2 = static_cast<float>(options.beta2);
  const auto c1 = static_cast<float>(1 - options.beta1), c2 = static_cast<float>(1 - options.beta2);
  const auto epsilon = static_cast<float>(options.epsilon);
  const float scale = *numbers.scale;
  const auto [tensor, block] = list.find(static_cast<std::int32_t>(blockIdx.x));
  float *values = list.data[0][tensor], *first_moments = list.data[2][tensor], *second_moments = list.data[3][tensor];
  const float* gradients = list.data[1][tensor];
  for_octets(block, list.count(tensor), [&](std::int64_t first, std::int64_t left) {
    float p[kOctet], gradient[kOctet], m[kOctet], v[kOctet];
    load(values + first, left, p);
    load(gradients + first, left, gradient);
    load(first_moments + first, left, m);
    load(second_moments + first, left, v);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      const float g = __fmul_rn(gradient[i], scale);
      m[i] = __fadd_rn(__fmul_rn(b1, m[i]), __fmul_rn(c1, g));
      v[i] = __fadd_rn(__fmul_rn(b2, v[i]), __fmul_rn(__fmul_rn(c2, g), g));
      const float denominator = __fadd_rn(__fmul_rn(__fsqrt_rn(v[i]), root), epsilon);
      p[i] = __fsub_rn(__fmul_rn(p[i], keep), __fdiv_rn(__fmul_rn(step_size, m[i]), denominator));
    }
    store(values + first, left, p);
    store(first_moments + first, left, m);
    store(second_moments + first, left, v);
  });
}

}  // namespace

template <class T>
void adamw(const Arguments& args) {
  const auto& op = static_cast<const AdamW&>(args.op);
  for_tensor_lists<4>(
      "adamw", op.parameters(), [&](std::size_t i) { return parameter_views(args, i); }, element_blocks,
      [&](const TensorList<4>& list) {
        launch("adamw", adamw_kernel, list.blocks(), kThreads, args.queue, list, UpdateNumbers(args), op.options);
      });
}

template void adamw<float>(const Arguments&);
template void adamw<Bf16>(const Arguments&);

}  // namespace preamble::cuda
