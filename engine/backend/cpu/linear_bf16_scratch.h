// Scratch memory of `linear` with bf16 activations.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/bf16_scratch.h"
#include "engine/backend/cpu/few_rows_limit.h"

namespace preamble::cpu {

/// The bias in float32 stands in front.
[[nodiscard]] constexpr std::int64_t linear_bf16_bias_bytes(std::int64_t n) noexcept { return (n * 4 + 63) / 64 * 64; }

/// Behind it packed columns or, for few rows, operand and sums in float32.
[[nodiscard]] constexpr std::int64_t linear_bf16_bytes(std::int64_t rows, std::int64_t k, std::int64_t n) noexcept {
  const std::int64_t few = std::min(rows, kFewRows) * (k + n) * 4;
  const std::int64_t packed = rows > kFewRows ? Bf16Scratch::of(rows, k, n, false).bytes() : 0;
  return linear_bf16_bias_bytes(n) + std::max(few, packed);
}

}  // namespace preamble::cpu
