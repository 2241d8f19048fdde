#include "engine/backend/cuda/update.cuh"
#include "engine/ops/sgd.h"

namespace preamble::cuda {
namespace {

/// A block owns some elements of a parameter. Products and sums are rounded one by one.
template <bool momentum>
__global__ void __launch_bounds__(kThreads)
    sgd_kernel(__grid_constant__ const TensorList<momentum ? 3 : 2> list, UpdateNumbers numbers, SgdOptions options) {
  if (!numbers.sound()) return;
  const auto rate = static_cast<float>(*numbers.learning_rate);
  const auto decay = static_cast<float>(options.weight_decay), keep = static_cast<float>(options.momentum);
  const float scale = *numbers.scale;
  const auto [tensor, block] = list.find(static_cast<std::int32_t>(blockIdx.x));
  float* values = list.data[0][tensor];
  const float* gradients = list.data[1][tensor];
  for_octets(block, list.count(tensor), [&](std::int64_t first, std::int64_t left) {
    float p[kOctet], direction[kOctet];
    load(values + first, left, p);
    load(gradients + first, left, direction);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) direction[i] = __fadd_rn(__fmul_rn(direction[i], scale), __fmul_rn(decay, p[i]));
    if constexpr (momentum) {
      float u[kOctet];
      load(list.data[2][tensor] + first, left, u);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) direction[i] = __fadd_rn(__fmul_rn(keep, u[i]), direction[i]);
      store(list.data[2][tensor] + first, left, direction);
    }
#pragma unroll
    for (int i = 0; i < kOctet; ++i) p[i] = __fsub_rn(p[i], __fmul_rn(rate, direction[i]));
    store(values + first, left, p);
  });
}

template <bool momentum>
void run(const Arguments& args) {
  constexpr int kArrays = momentum ? 3 : 2;
  const auto& op = static_cast<const Sgd&>(args.op);
  for_tensor_lists<kArrays>(
      "sgd", op.parameters(), [&](std::size_t i) { return parameter_views(args, i); }, element_blocks,
      [&](const TensorList<kArrays>& list) {
        launch("sgd", sgd_kernel<momentum>, list.blocks(), kThreads, args.queue, list, UpdateNumbers(args), op.options);
      });
}

}  // namespace

template <class T>
void sgd(const Arguments& args) {
  if (static_cast<const Sgd&>(args.op).options.momentum != 0) {
    run<true>(args);
  } else {
    run<false>(args);
  }
}

template void sgd<float>(const Arguments&);
template void sgd<Bf16>(const Arguments&);

}  // namespace preamble::cuda
