// Scratch memory of attention's products of bf16 numbers: part of a lane of `AttentionScratch`.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/attention_scratch.h"
#include "engine/backend/cpu/bf16_engine.h"

namespace preamble {

/// Sizes padded to whole units of a product. Regions in bytes, multiples of 64.
struct AttentionPanelsScratch {
  std::int64_t keys = 0;    ///< most of a segment
  std::int64_t dim = 0;     ///< of a head
  std::int64_t scores = 0;  ///< elements of a block

  static constexpr std::int64_t kUnit = cpu::Bf16Panel::kColumns;

  [[nodiscard]] static constexpr std::int64_t padded(std::int64_t count) noexcept { return (count + kUnit - 1) / kUnit * kUnit; }

  [[nodiscard]] static constexpr AttentionPanelsScratch of(const AttentionSizes& sizes, const AttentionOptions& options) noexcept {
    AttentionPanelsScratch s;
    s.keys = padded(sizes.keys);
    s.dim = padded(sizes.kv_width / options.kv_heads);
    // rows of a block are padded too: 16 of them may become 32, and each of 96 may be longer by less than a unit
    const std::int64_t rows = padded(std::min(sizes.q_rows * (options.heads / options.kv_heads), AttentionScratch::kBlockRows));
    const std::int64_t most = 2 * std::max(AttentionScratch::kBlockElements, 16 * s.keys) + 2 * AttentionScratch::kBlockRows * kUnit;
    s.scores = std::min(rows * s.keys, most);
    return s;
  }

  /// Scores in float32.
  [[nodiscard]] constexpr std::int64_t block() const noexcept { return scores * 4; }
  /// Scores in bf16.
  [[nodiscard]] constexpr std::int64_t weights() const noexcept { return scores * 2; }
  /// Keys or values, packed.
  [[nodiscard]] constexpr std::int64_t matrix() const noexcept { return keys * dim * 2; }
  /// Queries or gradients of outputs of a block.
  [[nodiscard]] constexpr std::int64_t rows() const noexcept { return AttentionScratch::kBlockRows * dim * 2; }
  /// Sums of a product with `rows` rows.
  [[nodiscard]] constexpr std::int64_t result() const noexcept { return AttentionScratch::kBlockRows * dim * 4; }
  /// Sums of gradients of keys or values.
  [[nodiscard]] constexpr std::int64_t sums() const noexcept { return keys * dim * 4; }

  /// Two matrices, queries, weights, a result.
  [[nodiscard]] constexpr std::int64_t forward() const noexcept { return 2 * matrix() + rows() + weights() + result(); }
  /// Keys by rows, keys and values transposed, two kinds of rows, two of weights, sums of keys and of values, a result. `joint`: values are the
  /// keys.
  [[nodiscard]] constexpr std::int64_t backward(bool joint) const noexcept {
    return (joint ? 2 : 3) * matrix() + 2 * rows() + 2 * weights() + (joint ? 1 : 2) * sums() + result();
  }
};

}  // namespace preamble
