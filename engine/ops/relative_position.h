// Buckets of relative positions, as T5 biases its attention scores.
#pragma once

#include <cstdint>

namespace preamble {

/// How T5 maps distances to rows of its bias table (Raffel et al. 2020, section 2.1; transformers' T5Attention).
struct RelativePositions {
  bool bidirectional = true;  ///< half of the buckets for keys behind the query; false: keys behind share bucket 0
  int max_distance = 128;     ///< from here on all distances share the last bucket

  bool operator==(const RelativePositions&) const = default;
};

/// Bucket of `delta` = key position - query position among `buckets`. Distances below half of the buckets of a direction
/// have one each, larger ones share buckets that widen logarithmically up to `max_distance`. Computed in float as PyTorch
/// does on the CPU, so that boundaries fall on the same distances. Constant for |delta| >= max_distance.
/// Needs 2 buckets a direction and max_distance above half of a direction's buckets.
[[nodiscard]] std::int32_t relative_position_bucket(std::int64_t delta, const RelativePositions& positions, std::int64_t buckets) noexcept;

}  // namespace preamble
