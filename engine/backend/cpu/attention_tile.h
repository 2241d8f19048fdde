// What the tasks of an attention kernel read: which keys a block of queries sees.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/attention_keys.h"
#include "engine/backend/cpu/attention_scratch.h"
#include "engine/backend/cpu/disentangled_tables.h"
#include "engine/backend/cpu/probability_mask.h"
#include "engine/backend/cpu/relative_bias.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

/// Operand `i`, an empty view if it is absent.
[[nodiscard]] inline View operand(const KernelArguments& args, std::size_t i) noexcept { return i < args.in.size() ? args.in[i] : View{}; }

/// All that the tasks of a kernel read.
template <class T>
struct AttentionProblem {
  /// `key_unit`: blocks begin and rows of scores end at multiples of so many keys.
  AttentionProblem(const KernelArguments& args, const AttentionOptions& given, std::int64_t key_unit = 1) noexcept
      : options(given),
        unit(key_unit),
        q(args.in[Attention::kQuery]),
        k(args.in[Attention::kKey]),
        v(args.in[Attention::kValue]),
        table(operand(args, Attention::kBiasTable)),
        prefix_k(operand(args, Attention::kPrefixKey)),
        prefix_v(operand(args, Attention::kPrefixValue)),
        slots(operand(args, Attention::kSlots).as<const std::int32_t>()),
        kv_segment(operand(args, Attention::kKeySegment).as<const std::int32_t>()),
        context(operand(args, Attention::kContext).as<const std::int32_t>()),
        dim(q.width / given.heads),
        group(given.heads / given.kv_heads),
        scale(static_cast<T>(given.scale)),
        mask(given, operand(args, Attention::kDropoutKey)),
        disentangled(operand(args, Attention::kPositionKey), operand(args, Attention::kPositionQuery)) {}

  const AttentionOptions& options;
  std::int64_t unit;
  View q, k, v, table, prefix_k, prefix_v;
  const std::int32_t* slots;
  const std::int32_t* kv_segment;
  const std::int32_t* context;
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
    s.panels = unit > 1;
    s.shared_keys = kv_segment != nullptr;
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
    if (context != nullptr) s.context = context[segment];
    return s;
  }

  /// Own keys of `s` that stand at `position` or before.
  [[nodiscard]] std::int64_t keys_until(const SegmentKeys& s, std::int64_t position) const noexcept {
    if (options.keys_in_front) return std::clamp<std::int64_t>(position + 1 + s.count, 0, s.count);
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

  /// Own keys of `s` that a query sees, those that have left its window included: the first ones.
  [[nodiscard]] std::int64_t visible(const SegmentKeys& s, std::int64_t position) const noexcept {
    return options.causal ? keys_until(s, std::max(position, s.context - 1)) : s.count;
  }

  /// Keys of `s`, those of the prefix first, that have left the window of a query.
  [[nodiscard]] std::int64_t hidden(const SegmentKeys& s, std::int64_t position) const noexcept {
    if (options.window == 0) return 0;
    const std::int64_t last = position - options.window;  // position of the last one
    const std::int64_t own = keys_until(s, last);
    return own > 0 ? s.prefixes + own : std::clamp<std::int64_t>(last + 1 + s.prefixes, 0, s.prefixes);
  }

  /// Queries [first, end) of a segment.
  void block(std::int32_t segment, const SegmentKeys& all, std::int64_t first, std::int64_t end, QueryBlock& b) const noexcept {
    b.segment = segment;
    b.keys = all;
    b.first = first;
    b.rows = b.queries = end - first;
    std::int64_t most = 0;
    std::int64_t skipped = all.prefixes + all.count;
    for (std::int64_t i = 0; i < b.rows; ++i) {
      b.position[i] = q.layout->position(segment, static_cast<std::int32_t>(first + i));
      b.visible[i] = visible(all, b.position[i]);
      b.hidden[i] = std::min(hidden(all, b.position[i]), all.prefixes + b.visible[i]);
      most = std::max(most, b.visible[i]);
      skipped = std::min(skipped, b.hidden[i]);
    }
    b.keys.count = most;
    skipped -= skipped % unit;
    if (options.window == 0) skipped = 0;
    b.stride = (b.keys.prefixes + most - skipped + unit - 1) / unit * unit;
    if (skipped == 0) return;
    b.keys.skip(skipped);
    for (std::int64_t i = 0; i < b.rows; ++i) {
      b.hidden[i] -= skipped;
      b.visible[i] = std::max<std::int64_t>(b.visible[i] - std::max<std::int64_t>(skipped - all.prefixes, 0), 0);
    }
  }

  /// Calls body(block, first head) for the blocks of `heads` heads of a segment, from `head` on, that share their keys. Where the segment has few
  /// queries, a block holds those of as many heads as fit.
  template <class Body>
  void for_blocks(std::int32_t segment, std::int64_t head, std::int64_t heads, const Body& body) const {
    const SegmentKeys all = keys(segment);
    const std::int64_t begin = q.layout->offsets[segment], end = q.layout->offsets[segment + 1];
    const std::int64_t step = AttentionScratch::block_rows(all.prefixes + all.count);
    const std::int64_t fit = std::clamp<std::int64_t>(step / std::max<std::int64_t>(end - begin, 1), 1, heads);
    const std::int64_t stacks = (heads + fit - 1) / fit;
    QueryBlock b;
    for (std::int64_t s = 0; s < stacks; ++s) {
      const std::int64_t from = s * heads / stacks, to = (s + 1) * heads / stacks;
      for (std::int64_t first = begin; first < end; first += step) {
        block(segment, all, first, std::min(end, first + step), b);
        b.stack(to - from);
        body(b, head + from);
      }
    }
  }

  [[nodiscard]] KeyPositions own_positions(const QueryBlock& b) const noexcept {
    return {k.layout->positions != nullptr ? k.layout->positions + b.keys.first : nullptr, 0};
  }
};

}  // namespace preamble::PREAMBLE_ISA
