// What all attention kernels read, and which keys a query sees. Included by .cu files alone.
#pragma once

#include <climits>
#include <cstdint>

#include "engine/backend/cuda/attention/dropout.cuh"
#include "engine/backend/cuda/attention/key_range.h"
#include "engine/backend/cuda/attention/rows_of_reals.cuh"
#include "engine/backend/cuda/attention_scratch.h"
#include "engine/backend/cuda/kernel.h"
#include "engine/ops/attention.h"

namespace preamble::cuda {

struct Visibility;

/// A kernel parameter.
struct AttentionProblem {
  RowsIn q, k, v, prefix_k, prefix_v, position_k, position_q;
  const Layout* q_layout = nullptr;
  const Layout* k_layout = nullptr;
  const Layout* prefix_layout = nullptr;
  const std::int32_t* slots = nullptr;
  const std::int32_t* kv_segment = nullptr;
  const std::int32_t* context = nullptr;
  const float* bias = nullptr;           ///< [H, 2 reach + 1] by clamped distance key - query
  const std::int32_t* row_at = nullptr;  ///< [2 reach + 1] bucket, or row of the position tables
  const std::int32_t* seen = nullptr;    ///< [rows(Q)] `last_key` of each query, for tensor cores alone
  const std::int32_t* hidden = nullptr;  ///< [rows(Q)] `first_key` of each query, likewise, where there is a window
  const Visibility* tiles = nullptr;     ///< of each tile of 64 queries, likewise
  std::int32_t* turns = nullptr;         ///< [AttentionScratch::kTurns] items that the blocks of each kernel of warpgroups have taken
  std::int32_t reach = 0;
  std::int32_t heads = 1, kv_heads = 1, group = 1, dim = 0;
  float scale = 1;
  std::int32_t window = 0;
  bool causal = false, prefix_has_positions = false, keys_in_front = false;
  ProbabilityMask mask;

  /// Slot of a segment of Q, as a segment of P, or -1.
  [[nodiscard]] __device__ std::int32_t slot(std::int32_t segment) const {
    if (prefix_layout == nullptr) return -1;
    const std::int32_t s = slots != nullptr ? slots[segment] : 0;
    return s >= 0 && s < prefix_layout->segments ? s : -1;
  }
  /// Segment of K that a segment of Q reads, or -1.
  [[nodiscard]] __device__ std::int32_t key_segment(std::int32_t segment) const {
    const std::int32_t s = kv_segment != nullptr ? kv_segment[segment] : segment;
    return s >= 0 && s < k_layout->segments ? s : -1;
  }
  [[nodiscard]] __device__ SegmentKeys keys(std::int32_t segment) const {
    SegmentKeys s{0, 0, 0, 0, context != nullptr ? context[segment] : 0};
    if (const std::int32_t of = slot(segment); of >= 0) {
      s.prefix_first = prefix_layout->offsets[of];
      s.prefixes = prefix_layout->offsets[of + 1] - s.prefix_first;
    }
    if (const std::int32_t of = key_segment(segment); of >= 0) {
      s.first = k_layout->offsets[of];
      s.count = k_layout->offsets[of + 1] - s.first;
    }
    return s;
  }
  /// A query at position `at_query` sees keys [first_key, last_key) of its segment, if there are any between them.
  [[nodiscard]] __device__ std::int32_t last_key(const SegmentKeys& s, std::int32_t at_query) const { return range().last_key(s, at_query); }
  [[nodiscard]] __device__ std::int32_t first_key(const SegmentKeys& s, std::int32_t at_query) const { return range().first_key(s, at_query); }

  /// Key j of a segment, prefix keys first: its row in P or K.
  [[nodiscard]] static __device__ std::int32_t row(const SegmentKeys& s, std::int32_t j) {
    return j < s.prefixes ? s.prefix_first + j : s.first + j - s.prefixes;
  }
  /// Stands for the position of a key that gets no bias and no position terms.
  static constexpr std::int32_t kNoPosition = INT_MIN;
  /// Position of key j for biases and position terms.
  [[nodiscard]] __device__ std::int32_t key_position(const SegmentKeys& s, std::int32_t j) const {
    if (j < s.prefixes) return prefix_has_positions && bias != nullptr ? j - s.prefixes : kNoPosition;
    return j < s.prefixes + s.count ? k_layout->positions[s.first + j - s.prefixes] : kNoPosition;
  }
  /// Index of a distance key - query in tables by clamped distance.
  [[nodiscard]] __device__ std::int32_t distance(std::int32_t key, std::int32_t query) const {
    return min(max(key - query, -reach), reach) + reach;
  }

 private:
  [[nodiscard]] __device__ KeyRange range() const { return {k_layout->positions, window, causal, keys_in_front}; }
};

/// The operands of both attention ops.
[[nodiscard]] AttentionProblem attention_problem(const Arguments& args, const AttentionOptions& options);
[[nodiscard]] AttentionSizes attention_sizes(const Arguments& args, const AttentionProblem& problem);

/// bf16 copies of a float32 prefix that are still to be made.
struct PrefixCopies {
  RowsIn keys, values;
  const Layout* layout = nullptr;
  Bf16 *narrow_keys = nullptr, *narrow_values = nullptr;
  std::int64_t octets = 0;  ///< pieces of eight elements of each
};

/// Lets the problem read copies of a float32 prefix in the regions `narrow_prefix`, which lie at `memory`; `find_seen_keys` makes them.
[[nodiscard]] PrefixCopies copy_prefix(const Arguments& args, const AttentionScratch& scratch, std::byte* memory, AttentionProblem& problem);

/// Fills the regions `rows` and `bias` of the scratch memory, where there is a bias table or position tables, and lets the problem
/// point at them.
void prepare_tables(const View& bias_table, const AttentionOptions& options, const AttentionSizes& sizes, const AttentionScratch& scratch,
                    std::byte* memory, const Queue& queue, AttentionProblem& problem);

}  // namespace preamble::cuda
