// How the kernels of Adafactor lay out their scratch memory.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/partial_sums.h"

namespace preamble::cuda {

/// Regions in bytes, in their order; all numbers are doubles.
struct AdafactorScratch {
  std::int64_t means = 0;    ///< of each parameter's row states
  std::int64_t rates = 0;    ///< what each parameter's y is multiplied by
  std::int64_t squares = 0;  ///< Σ y² of each block of elements

  [[nodiscard]] std::int64_t bytes() const noexcept { return means + rates + squares; }

  /// `blocks`: of elements, of all parameters.
  [[nodiscard]] static constexpr AdafactorScratch of(std::int64_t parameters, std::int64_t blocks) noexcept {
    const std::int64_t each = scratch_bytes(parameters * static_cast<std::int64_t>(sizeof(double)));
    return {each, each, scratch_bytes(blocks * static_cast<std::int64_t>(sizeof(double)))};
  }
};

}  // namespace preamble::cuda
