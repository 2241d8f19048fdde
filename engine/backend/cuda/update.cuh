// What the kernels of all optimizers share. Included by .cu files alone.
#pragma once

#include <cmath>

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/tensor_list.cuh"
#include "engine/ops/update.h"

namespace preamble::cuda {

/// Scalars in device memory that an update reads.
struct UpdateNumbers {
  const float* scale;
  const double* learning_rate;
  const std::int64_t* step;

  explicit UpdateNumbers(const Arguments& args)
      : scale(floats("update", args.in[UpdateOp::kScale])),
        learning_rate(args.in[UpdateOp::kLearningRate].as<const double>()),
        step(args.in[UpdateOp::kStep].as<const std::int64_t>()) {}

  /// Else nothing is updated.
  [[nodiscard]] __device__ bool sound() const { return isfinite(*scale); }
};

/// The views of parameter i: value, gradient, states.
[[nodiscard]] inline std::span<const View> parameter_views(const Arguments& args, std::size_t i) {
  return args.in.subspan(static_cast<const UpdateOp&>(args.op).operand(i));
}

/// Calls body(octet, left) for a block's elements of a tensor of `count` elements, eight at a time.
template <class Body>
__device__ inline void for_octets(std::int32_t block, std::int64_t count, const Body& body) {
  const std::int64_t begin = block * kListBlock;
  const std::int64_t end = begin + kListBlock < count ? begin + kListBlock : count;
  for (std::int64_t first = begin + threadIdx.x * kOctet; first < end; first += blockDim.x * kOctet) body(first, end - first);
}

}  // namespace preamble::cuda
