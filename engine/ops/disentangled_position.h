// Which row of DeBERTa's position tables stands for a relative position.
#pragma once

#include <cstdint>

namespace preamble {

/// How DeBERTa maps distances to the 2·span rows of its position tables (He et al. 2021, section 3.1, with the logarithmic
/// buckets of version 2; transformers' `make_log_bucket_position`).
struct DisentangledPositions {
  int buckets = 0;         ///< of each direction, an even number; 0: a row for each distance
  int max_distance = 512;  ///< from here on all distances of a direction share a row

  /// Rows for each direction.
  [[nodiscard]] int span() const noexcept { return buckets > 0 ? buckets : max_distance; }
  bool operator==(const DisentangledPositions&) const = default;
};

/// Row in [0, 2·span) of `delta` = query position - key position, ascending in delta. Distances up to buckets / 2 have a row
/// each; farther ones share rows that widen logarithmically. Computed in float as PyTorch does, so that boundaries fall on the
/// same distances. Constant for |delta| >= max_distance. Needs max_distance > buckets / 2 + 1.
[[nodiscard]] std::int32_t disentangled_position_row(std::int64_t delta, const DisentangledPositions& positions) noexcept;

}  // namespace preamble
