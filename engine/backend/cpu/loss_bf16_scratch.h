// Scratch memory of `linear_cross_entropy` with bf16 activations.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/bf16_scratch.h"
#include "engine/backend/cpu/loss_chunks.h"

namespace preamble::cpu {

/// Parts of the loss (float64), then a chunk of logits and of rows as wide as x (float32), then packed columns and rounded rows of either
/// product.
struct LossBf16Scratch {
  /// Rows of w that the product for dx reads at a time.
  static constexpr std::int64_t kVocabulary = 4096;
  /// All of w is packed twice for each chunk of logits, in the time of the products with ten rows: a chunk has this many rows unless its logits
  /// are more than four times as many as float32's.
  static constexpr std::int64_t kRows = 384;

  std::int64_t rows = 0;  ///< of logits that exist at a time
  std::int64_t bytes = 0;

  [[nodiscard]] static constexpr LossBf16Scratch of(std::int64_t rows, std::int64_t width, std::int64_t vocabulary) noexcept {
    LossBf16Scratch s;
    const std::int64_t usual = LossChunks::of(rows, width, vocabulary, false).rows;
    s.rows = std::min(rows, std::max(usual, std::min(kRows, 4 * usual)));
    const std::int64_t logits = Bf16Scratch::of(s.rows, width, vocabulary, false).bytes();
    const std::int64_t gradient = Bf16Scratch::of(s.rows, std::min(kVocabulary, vocabulary), width, true).bytes();
    s.bytes = s.rows * (8 + 4 * (vocabulary + width)) + std::max(logits, gradient);
    return s;
  }
};

}  // namespace preamble::cpu
