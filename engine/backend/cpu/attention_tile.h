// What the tasks of an attention kernel read: which keys a block of queries sees.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "engine/backend/cpu/disentangled_tables.h"
#include "engine/backend/cpu/probability_mask.h"
#include "engine/backend/cpu/relative_bias.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/backend/cpu/attention_scratch.h"

namespace preamble::PREAMBLE_ISA {

/// Operand `i`, an empty view if it is absent.
[[nodiscard]] inline View operand(const KernelArguments& args, std::size_t i) noexcept { return i < args.in.size() ? args.in[i] : View{}; }

/// Calls body(lane, task) for every task; tasks of one lane run one after the other. Which lane gets a task is left to
/// chance: a lane is scratch memory and nothing else.
template <class Body>
void run_lanes(std::int64_t lanes, std::int64_t tasks, const Body& body) {
  std::atomic<std::int64_t> next{0};
  parallel_for(std::min(lanes, tasks), 1, [&](std::int64_t lane, std::int64_t) {
    for (std::int64_t task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) body(lane, task);
  });
}

/// Lanes that fit into the workspace behind the fixed regions, one for each thread at most.
[[nodiscard]] inline std::int64_t lanes_of(const AttentionScratch& scratch, std::int64_t workspace_bytes) noexcept {
  const std::int64_t room = (workspace_bytes - scratch.fixed) / std::max<std::int64_t>(scratch.lane, 1);
  return std::clamp<std::int64_t>(room, 1, threads());
}

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
};

/// Queries of one segment whose scores are computed together: rows [first, first + rows) of Q.
struct QueryBlock {
  std::int32_t segment = 0;
  SegmentKeys keys;  ///< cut to what the block sees
  std::int64_t first = 0, rows = 0;
  std::int64_t position[AttentionScratch::kBlockRows];
  std::int64_t visible[AttentionScratch::kBlockRows];  ///< own keys that each query sees: the first ones

  /// Scores of a row.
  [[nodiscard]] std::int64_t width() const noexcept { return keys.prefixes + keys.count; }
  /// Keys that query i sees, which are the first ones of its row.
  [[nodiscard]] std::int64_t seen(std::int64_t i) const noexcept { return keys.prefixes + visible[i]; }
};

/// All that the tasks of a kernel read.
template <class T>
struct AttentionProblem {
  AttentionProblem(const KernelArguments& args, const AttentionOptions& given) noexcept
      : options(given),
        q(args.in[Attention::kQuery]),
        k(args.in[Attention::kKey]),
        v(args.in[Attention::kValue]),
        table(operand(args, Attention::kBiasTable)),
        prefix_k(operand(args, Attention::kPrefixKey)),
        prefix_v(operand(args, Attention::kPrefixValue)),
        slots(operand(args, Attention::kSlots).as<const std::int32_t>()),
        kv_segment(operand(args, Attention::kKeySegment).as<const std::int32_t>()),
        dim(q.width / given.heads),
        group(given.heads / given.kv_heads),
        scale(static_cast<T>(given.scale)),
        mask(given, operand(args, Attention::kDropoutKey)),
        disentangled(operand(args, Attention::kPositionKey), operand(args, Attention::kPositionQuery)) {}

  const AttentionOptions& options;
  View q, k, v, table, prefix_k, prefix_v;
  const std::int32_t* slots;
  const std::int32_t* kv_segment;
  std::int64_t dim, group;
  T scale;
  ProbabilityMask<T> mask;
  RelativeBias<T> relative{};
  DisentangledTables<T> disentangled;

  [[nodiscard]] AttentionSizes sizes() const noexcept {
    AttentionSizes s;
    s.q_rows = longest(*q.layout);
    s.q_segments = q.layout->segments;
    s.k_segments = k.layout->segments;
    s.prefix_rows = prefix_k ? prefix_k.rows : 0;
    s.keys = longest(*k.layout) + (prefix_k ? longest(*prefix_k.layout) : 0);
    s.kv_width = k.width;
    s.buckets = table ? (*table.dims)[0] : 0;
    s.positions = disentangled.rows();
    s.element = sizeof(T);
    return s;
  }

  /// Segment of K that a segment of Q reads; the number of K's segments if it reads none.
  [[nodiscard]] std::int32_t key_segment(std::int32_t segment) const noexcept {
    const std::int32_t s = kv_segment != nullptr ? kv_segment[segment] : segment;
    return s >= 0 && s < k.layout->segments ? s : k.layout->segments;
  }

  [[nodiscard]] SegmentKeys keys(std::int32_t segment) const noexcept {
    SegmentKeys s;
    if (prefix_k) {
      const RowLayout& slots_of = *prefix_k.layout;
      const std::int32_t slot = slots != nullptr ? slots[segment] : 0;
      if (slot >= 0 && slot < slots_of.segments) s.prefix_first = slots_of.offsets[slot], s.prefixes = slots_of.length(slot);
    }
    const std::int32_t own = key_segment(segment);
    if (own < k.layout->segments) s.first = k.layout->offsets[own], s.count = k.layout->length(own);
    return s;
  }

  /// Keys of `s` that stand at `position` or before.
  [[nodiscard]] std::int64_t visible(const SegmentKeys& s, std::int64_t position) const noexcept {
    if (!options.causal) return s.count;
    if (k.layout->positions == nullptr) return std::clamp<std::int64_t>(position + 1, 0, s.count);
    const std::int32_t* at = k.layout->positions + s.first;
    std::int64_t low = 0;
    std::int64_t high = s.count;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (at[middle] <= position) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /// Queries [first, end) of a segment.
  void block(std::int32_t segment, const SegmentKeys& all, std::int64_t first, std::int64_t end, QueryBlock& b) const noexcept {
    b.segment = segment;
    b.keys = all;
    b.first = first;
    b.rows = end - first;
    std::int64_t most = 0;
    for (std::int64_t i = 0; i < b.rows; ++i) {
      b.position[i] = q.layout->position(segment, static_cast<std::int32_t>(first + i));
      b.visible[i] = visible(all, b.position[i]);
      most = std::max(most, b.visible[i]);
    }
    b.keys.count = most;
  }

  /// Calls body(block) for the blocks of a segment.
  template <class Body>
  void for_blocks(std::int32_t segment, const Body& body) const {
    const SegmentKeys all = keys(segment);
    const std::int64_t end = q.layout->offsets[segment + 1];
    const std::int64_t step = AttentionScratch::block_rows(all.prefixes + all.count);
    QueryBlock b;
    for (std::int64_t first = q.layout->offsets[segment]; first < end; first += step) {
      block(segment, all, first, std::min(end, first + step), b);
      body(b);
    }
  }

  [[nodiscard]] KeyPositions own_positions(const QueryBlock& b) const noexcept {
    return {k.layout->positions != nullptr ? k.layout->positions + b.keys.first : nullptr, 0};
  }
};

}  // namespace preamble::PREAMBLE_ISA
