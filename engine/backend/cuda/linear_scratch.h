// How the kernels of `linear` and `head_linear` lay out their scratch memory: planned from capacities, used with the bounds of a run.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cuda/partial_sums.h"
#include "engine/core/dtype.h"

namespace preamble::cuda {

struct LinearSizes {
  std::int64_t rows = 0, k = 0, n = 0;
  Dtype activation = Dtype::f32;
  Dtype weight = Dtype::f32;
  Dtype bias = Dtype::f32;
  bool has_bias = false;
  bool mask_alone = false;  ///< only the mask of relu is read: the sum has no memory of its own
};

/// Regions in bytes, in their order. cuBLASLt multiplies matrices of one type, so what is stored in another is converted.
struct LinearScratch {
  std::int64_t sum = 0;
  std::int64_t bias = 0;
  std::int64_t weight = 0;
  std::int64_t columns = 0;  ///< outputs whose weights are converted at a time

  [[nodiscard]] std::int64_t bytes() const noexcept { return sum + bias + weight; }

  [[nodiscard]] static LinearScratch of(const LinearSizes& s) {
    constexpr std::int64_t kMostConverted = std::int64_t{1} << 25;
    const auto element = static_cast<std::int64_t>(size_of(s.activation));
    LinearScratch scratch;
    if (s.mask_alone) scratch.sum = scratch_bytes(s.rows * s.n * element);
    if (s.has_bias && s.bias != s.activation) scratch.bias = scratch_bytes(s.n * element);
    scratch.columns = s.n;
    if (s.weight == s.activation) return scratch;
    scratch.columns = std::min(s.n, std::max<std::int64_t>(8, kMostConverted / std::max<std::int64_t>(s.k, 1) / 8 * 8));
    scratch.weight = scratch_bytes(scratch.columns * s.k * element);
    return scratch;
  }
};

}  // namespace preamble::cuda
