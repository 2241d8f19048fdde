// How the LSTM kernels lay out their scratch memory: planned from capacities, used with the bounds of a run.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/partial_sums.h"
#include "engine/core/dtype.h"

namespace preamble::cuda {

struct LstmSizes {
  std::int64_t rows = 0, segments = 0, hidden = 0;
  Dtype activation = Dtype::f32;
};

/// Regions in bytes. States are float32, one row for each segment.
struct LstmScratch {
  std::int64_t state = 0;   ///< [segments, hidden]: h before and behind a step, c; in the gradient dh, dc, and four of dz
  std::int64_t dz = 0;      ///< [rows, 4 hidden] of the gradient, where nobody reads it
  std::int64_t before = 0;  ///< [rows, hidden]: h of the row before each row

  static constexpr int kForwardStates = 3, kBackwardStates = 6;

  [[nodiscard]] std::int64_t forward_bytes() const noexcept { return kForwardStates * state; }
  [[nodiscard]] std::int64_t backward_bytes() const noexcept { return kBackwardStates * state + dz + before; }

  [[nodiscard]] static LstmScratch of(const LstmSizes& s) {
    const auto element = static_cast<std::int64_t>(size_of(s.activation));
    return {scratch_bytes(s.segments * s.hidden * static_cast<std::int64_t>(sizeof(float))), scratch_bytes(s.rows * 4 * s.hidden * element),
            scratch_bytes(s.rows * s.hidden * element)};
  }
};

}  // namespace preamble::cuda
