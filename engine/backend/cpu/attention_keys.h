// The keys that a segment of queries, or a block of them, may see.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/attention_scratch.h"
#include "engine/core/rows.h"

namespace preamble::PREAMBLE_ISA {

/// Rows of the longest segment.
[[nodiscard]] inline std::int64_t longest(const RowLayout& rows) noexcept {
  std::int32_t most = 0;
  for (std::int32_t s = 0; s < rows.segments; ++s) most = std::max(most, rows.length(s));
  return most;
}

/// Keys that a segment of queries may see: rows of P, then rows of K.
struct SegmentKeys {
  std::int64_t prefix_first = 0, prefixes = 0;
  std::int64_t first = 0, count = 0;
  std::int64_t context = 0;  ///< own keys at positions below it are visible to all queries
  std::int64_t skipped = 0;  ///< keys in front of these that all queries of a block have left behind

  /// Moves past the first `keys` keys, which no query of the block sees any more.
  void skip(std::int64_t keys) noexcept {
    skipped += keys;
    const std::int64_t of_prefix = std::min(keys, prefixes);
    prefix_first += of_prefix, prefixes -= of_prefix;
    first += keys - of_prefix, count -= keys - of_prefix;
  }
};

/// Queries of one segment whose scores are computed together: rows [first, first + queries) of Q, of one head or of several that share their
/// keys; then the rows of one head stand behind those of the other.
struct QueryBlock {
  std::int32_t segment = 0;
  SegmentKeys keys;  ///< cut to what the block sees
  std::int64_t first = 0, queries = 0;
  std::int64_t rows = 0;    ///< queries times heads
  std::int64_t stride = 0;  ///< from a row of scores to the next
  std::int64_t position[AttentionScratch::kBlockRows];
  std::int64_t visible[AttentionScratch::kBlockRows];  ///< own keys up to the last one that each query sees
  std::int64_t hidden[AttentionScratch::kBlockRows];   ///< keys of its row that have left each query's window: the first ones

  /// The row of Q, and the head counted from the block's first, that a row of the block stands for.
  [[nodiscard]] std::int64_t query(std::int64_t i) const noexcept { return first + i % queries; }
  [[nodiscard]] std::int64_t head(std::int64_t i) const noexcept { return i / queries; }
  /// Makes a block of one head one of several.
  void stack(std::int64_t heads) noexcept {
    for (; rows < queries * heads; ++rows) {
      position[rows] = position[rows - queries];
      visible[rows] = visible[rows - queries];
      hidden[rows] = hidden[rows - queries];
    }
  }
  /// Scores of a row.
  [[nodiscard]] std::int64_t width() const noexcept { return keys.prefixes + keys.count; }
  /// Query i sees the keys from `hidden[i]` to here of its row, if there are any.
  [[nodiscard]] std::int64_t seen(std::int64_t i) const noexcept { return keys.prefixes + visible[i]; }
};

}  // namespace preamble::PREAMBLE_ISA
