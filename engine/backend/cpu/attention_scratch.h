// How the CPU kernels of attention lay out their scratch memory: planned from capacities, used with the sizes of a batch.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/ops/attention.h"

namespace preamble {

/// Rows and segments: capacities when planning, those of the batch when running. Zero where an operand is absent.
struct AttentionSizes {
  std::int64_t q_rows = 0;  ///< of the longest segment
  std::int64_t keys = 0;    ///< of the longest segment, prefix included: most that a query could see
  std::int64_t q_segments = 0, k_segments = 0;
  std::int64_t prefix_rows = 0, kv_width = 0;
  std::int64_t buckets = 0;
  std::int64_t positions = 0;  ///< rows of the position tables
  std::int64_t element = 4;    ///< bytes
  bool panels = false;         ///< products are of bf16 numbers, through `AttentionPanelsScratch`
  bool shared_keys = false;    ///< several segments of queries may read one of keys
};

/// Which of the gradients that segments share are read, and where those that they do not share lie.
struct SharedGradients {
  bool prefix = false, bias = false, positions = false;
  bool keys_in_place = false;  ///< `AttentionGrad::keys_in_place`
  bool joint = false;          ///< `AttentionGrad::joint`

  explicit operator bool() const noexcept { return prefix || bias || positions; }
};

/// Regions of the workspace in bytes, in their order. No region shrinks when a size grows, so a plan for the capacities
/// holds every batch.
struct AttentionScratch {
  /// Most queries of a block, and most scores of one, so that they stay in the second-level cache.
  static constexpr std::int64_t kBlockRows = 96, kBlockElements = 1 << 16;
  /// Lanes that every plan has room for, each as long as a segment can be; so few seldom make the peak. The segments of a batch are
  /// shorter, and `Program` gives a step all memory that is idle: in it, kernels find room for more lanes.
  static constexpr std::int64_t kLanes = 2;
  /// Tasks that gradients shared by segments (prefix, bias table) are split into, whatever the number of threads.
  static constexpr std::int64_t kSharedTasks = 64;

  std::int64_t bias = 0;           ///< biases of each head by clamped distance
  std::int64_t buckets = 0;        ///< bucket, or row of the position tables, of each clamped distance
  std::int64_t prefix = 0;         ///< partial sums of one prefix gradient; there are two such regions
  std::int64_t positions = 0;      ///< partial sums of one position table's gradient; there are two such regions
  std::int64_t bias_gradient = 0;  ///< partial sums of the bias table's gradient
  std::int64_t fixed = 0;          ///< all regions above
  std::int64_t lane = 0;           ///< scratch of one task at a time, behind the others; kernels use as many lanes as they find
  std::int64_t terms = 0;          ///< part of a lane: products with a position table
  std::int64_t key_gradient = 0;   ///< part of a lane: sums of one head's dK or dV, where they are not made in the gradients' memory; there are two such regions
  std::int64_t block = 0;          ///< part of a lane: scores of a block
  std::int64_t panels = 0;         ///< part of a lane, the last: that of `AttentionPanelsScratch`
  std::int64_t chunks = 0;         ///< partial sums: groups of segments

  [[nodiscard]] constexpr std::int64_t bytes() const noexcept { return fixed + kLanes * lane; }

  [[nodiscard]] static constexpr std::int64_t rounded(std::int64_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

  /// Queries of a block that sees `keys` keys.
  [[nodiscard]] static constexpr std::int64_t block_rows(std::int64_t keys) noexcept {
    return std::clamp<std::int64_t>(kBlockElements / std::max<std::int64_t>(keys, 1) / 16 * 16, 16, kBlockRows);
  }
  /// Upper bound of the elements of a block of scores with up to `keys` keys.
  [[nodiscard]] static constexpr std::int64_t block_elements(std::int64_t rows, std::int64_t keys) noexcept {
    return std::max(std::min(std::min(rows, kBlockRows) * keys, kBlockElements), std::min<std::int64_t>(rows, 16) * keys);
  }
  /// Distances from -max_distance to max_distance of a bias table.
  [[nodiscard]] static constexpr std::int64_t distances(const AttentionOptions& options) noexcept {
    return 2 * std::int64_t{options.relative.max_distance} + 1;
  }

  [[nodiscard]] static AttentionScratch forward(const AttentionOptions& options, const AttentionSizes& sizes) noexcept;
  [[nodiscard]] static AttentionScratch backward(const AttentionOptions& options, const AttentionSizes& sizes,
                                                 const SharedGradients& shared) noexcept;
  /// For one query row and one key/value head at a time.
  [[nodiscard]] static AttentionScratch cached(const AttentionOptions& options, const AttentionSizes& sizes) noexcept;
};

}  // namespace preamble
