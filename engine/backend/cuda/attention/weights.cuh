// A left operand of a warpgroup's products, in registers. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/mma.cuh"

namespace preamble::cuda {

/// A left operand [64, 64] of bf16 in registers.
struct Weights {
  FragmentA of[4];

  __device__ Weights() = default;
  /// Sums that become bf16.
  __device__ explicit Weights(const Sum (&w)[1][8]) {
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const Sum& left = w[0][2 * k];
      const Sum& right = w[0][2 * k + 1];
      of[k] = {{pack(left.x[0], left.x[1]), pack(left.x[2], left.x[3]), pack(right.x[0], right.x[1]), pack(right.x[2], right.x[3])}};
    }
  }
  /// Element by element.
  [[nodiscard]] __device__ Weights times(const Weights& other) const {
    Weights w;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
#pragma unroll
      for (int i = 0; i < 4; ++i) w.of[k].x[i] = multiply_pairs(of[k].x[i], other.of[k].x[i]);
    }
    return w;
  }
  /// What has become of sum [n] i. Where it serves in place of the sums, they need no registers any more.
  [[nodiscard]] __device__ float at(int n, int i) const {
    const std::uint32_t two = of[n / 2].x[n % 2 * 2 + i / 2];
    return __uint_as_float(i % 2 == 0 ? two << 16U : two & 0xFFFF0000U);
  }
};

}  // namespace preamble::cuda
