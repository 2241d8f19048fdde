// The sum of the numbers that blocks left behind. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/real.cuh"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// y = factor Σ terms[i], i below the rows of `size` (one number a row); factor 1 if absent. One block, in double, in a fixed order.
static __global__ void __launch_bounds__(1024) total_kernel(const double* terms, Matrix size, Reals factor, Reals y) {
  double sum = 0;
  const std::int64_t count = size.rows();
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) sum += terms[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) y.set(0, static_cast<float>(factor ? static_cast<double>(factor[0]) * sum : sum));
}

}  // namespace preamble::cuda
