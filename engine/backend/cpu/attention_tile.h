// What the attention kernels share: which keys a block of queries sees, their scores and biases, small products.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>

#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/math.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/attention_scratch.h"

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

/// Σ x[i] y[i]
template <class T>
[[nodiscard]] inline T dot(const T* x, const T* y, std::int64_t n) noexcept {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

/// y += a x
template <class T>
inline void add_scaled(T a, const T* x, T* y, std::int64_t n) noexcept {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

/// As cpu::gemm, with plain loops where packing the operands would cost more than the product: a decoding step has one
/// query. beta is 0 or 1.
template <class T>
void product(const cpu::Gemm<T>& p) {
  constexpr std::int64_t kSmall = 4;
  if ((p.transpose_a ? p.k : p.m) > kSmall) {
    cpu::gemm(p);
    return;
  }
  for (std::int64_t i = 0; i < p.m; ++i) {
    T* c = p.c + i * p.ldc;
    if (p.beta == T(0)) std::fill_n(c, p.n, T(0));
    if (p.transpose_b) {
      for (std::int64_t j = 0; j < p.n; ++j) c[j] += p.alpha * dot(p.a + i * p.lda, p.b + j * p.ldb, p.k);
    } else {
      for (std::int64_t k = 0; k < p.k; ++k) {
        add_scaled(p.alpha * (p.transpose_a ? p.a[k * p.lda + i] : p.a[i * p.lda + k]), p.b + k * p.ldb, c, p.n);
      }
    }
  }
}

/// Largest of n >= 1 numbers.
template <class T>
[[nodiscard]] inline T max_of(const T* x, std::int64_t n) noexcept {
  // GCC turns no float maximum into a vector reduction unless NaNs are given up: keep the lanes apart by hand
  constexpr std::int64_t kLanes = 32;
  T largest[kLanes];
  std::fill_n(largest, kLanes, x[0]);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < kLanes; ++lane) largest[lane] = largest[lane] < x[i + lane] ? x[i + lane] : largest[lane];
  }
  for (; i < n; ++i) largest[0] = largest[0] < x[i] ? x[i] : largest[0];
  for (std::int64_t lane = 1; lane < kLanes; ++lane) largest[0] = largest[0] < largest[lane] ? largest[lane] : largest[0];
  return largest[0];
}

/// x = exp(x - shift); returns the sum.
template <class T>
inline T exp_row(T* x, std::int64_t n, T shift) noexcept {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    x[i] = exp_of(x[i] - shift);
    sum += x[i];
  }
  return sum;
}

/// Where the keys of a row of scores stand: listed, or one behind the other.
struct KeyPositions {
  const std::int32_t* listed = nullptr;
  std::int64_t first = 0;
};

/// Relative positions with a bias table: biases of all heads by clamped distance.
template <class T>
struct RelativeBias {
  const T* bias = nullptr;                ///< [H, 2 reach + 1], null without a table
  const std::int32_t* buckets = nullptr;  ///< [2 reach + 1]
  std::int64_t reach = 0;

  /// `scratch.bias` and `scratch.buckets` bytes at `workspace` hold the result.
  static RelativeBias make(const View& table, const AttentionOptions& options, const AttentionScratch& scratch, std::byte* workspace) noexcept {
    if (!table) return {};
    const std::int64_t distances = AttentionScratch::distances(options);
    T* bias = reinterpret_cast<T*>(workspace);
    auto* buckets = reinterpret_cast<std::int32_t*>(workspace + scratch.bias);
    const std::int64_t count = (*table.dims)[0];
    for (std::int64_t d = 0; d < distances; ++d) {
      buckets[d] = relative_position_bucket(d - options.relative.max_distance, options.relative, count);
      for (std::int64_t h = 0; h < options.heads; ++h) bias[h * distances + d] = table.as<const T>()[buckets[d] * options.heads + h];
    }
    return {bias, buckets, options.relative.max_distance};
  }

  [[nodiscard]] const T* of(std::int64_t head) const noexcept { return bias + head * (2 * reach + 1); }

  /// Calls body(begin, end, place, step) for ranges of keys: key j has the distance at place + (j - begin) · step.
  template <class Body>
  void ranges(const KeyPositions& keys, std::int64_t query, std::int64_t count, const Body& body) const noexcept {
    if (keys.listed != nullptr) {
      for (std::int64_t j = 0; j < count; ++j) body(j, j + 1, std::clamp<std::int64_t>(keys.listed[j] - query, -reach, reach) + reach, 0);
      return;
    }
    // far behind, near, far ahead
    const std::int64_t near = std::clamp<std::int64_t>(query - reach - keys.first, 0, count);
    const std::int64_t ahead = std::clamp<std::int64_t>(query + reach + 1 - keys.first, near, count);
    body(0, near, 0, 0);
    body(near, ahead, near + keys.first - query + reach, 1);
    body(ahead, count, 2 * reach, 0);
  }

  /// scores[j] += bias of key j for a query at position `query`.
  void add(std::int64_t head, const KeyPositions& keys, std::int64_t query, std::int64_t count, T* scores) const noexcept {
    const T* biases = of(head);
    ranges(keys, query, count, [&](std::int64_t begin, std::int64_t end, std::int64_t place, std::int64_t step) {
      const T* from = biases + place;
      T* to = scores + begin;
      if (step == 0) {
        const T far = *from;
#pragma omp simd
        for (std::int64_t j = 0; j < end - begin; ++j) to[j] += far;
      } else {
#pragma omp simd
        for (std::int64_t j = 0; j < end - begin; ++j) to[j] += from[j];
      }
    });
  }

  /// sums[distance of key j] += gradients[j]: the transpose of `add`.
  void collect(const KeyPositions& keys, std::int64_t query, std::int64_t count, const T* gradients, double* sums) const noexcept {
    ranges(keys, query, count, [&](std::int64_t begin, std::int64_t end, std::int64_t place, std::int64_t step) {
      const T* from = gradients + begin;
      double* to = sums + place;
      if (step == 0) {
        if (end > begin) *to += sum_of(from, end - begin);
      } else {
#pragma omp simd
        for (std::int64_t j = 0; j < end - begin; ++j) to[j] += static_cast<double>(from[j]);
      }
    });
  }
};

/// Keys that a segment of queries may see: rows of P, then rows of K.
struct SegmentKeys {
  std::int64_t prefix_first = 0, prefixes = 0;
  std::int64_t first = 0, count = 0;
};

/// Queries of one segment whose scores are computed together: rows [first, first + rows) of Q.
struct QueryBlock {
  SegmentKeys keys;  ///< cut to what the block sees
  std::int64_t first = 0, rows = 0;
  std::int64_t position[AttentionScratch::kBlockRows];
  std::int64_t visible[AttentionScratch::kBlockRows];  ///< own keys that each query sees: the first ones

  /// Scores of a row.
  [[nodiscard]] std::int64_t width() const noexcept { return keys.prefixes + keys.count; }
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
        scale(static_cast<T>(given.scale)) {}

  const AttentionOptions& options;
  View q, k, v, table, prefix_k, prefix_v;
  const std::int32_t* slots;
  const std::int32_t* kv_segment;
  std::int64_t dim, group;
  T scale;
  RelativeBias<T> relative{};

  [[nodiscard]] AttentionSizes sizes() const noexcept {
    AttentionSizes s;
    s.q_rows = q.rows;
    s.q_segments = q.layout->segments;
    s.k_segments = k.layout->segments;
    s.prefix_rows = prefix_k ? prefix_k.rows : 0;
    s.keys = k.rows + s.prefix_rows;
    s.kv_width = k.width;
    s.buckets = table ? (*table.dims)[0] : 0;
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

  /// c [rows, width] = alpha · x [rows, dim] · [prefix; own]ᵀ, one head of each matrix.
  void times_keys(const QueryBlock& b, std::int64_t head, T alpha, const View& x, const View& prefix, const View& own, T* c) const {
    cpu::Gemm<T> p;
    p.m = b.rows, p.k = dim;
    p.a = x.as<const T>() + b.first * x.width + head * dim, p.lda = x.width;
    p.transpose_b = true;
    p.ldb = own.width, p.ldc = b.width(), p.alpha = alpha;
    const std::int64_t column = head / group * dim;
    if (b.keys.prefixes > 0) {
      p.n = b.keys.prefixes, p.b = prefix.as<const T>() + b.keys.prefix_first * own.width + column, p.c = c;
      product(p);
    }
    if (b.keys.count > 0) {
      p.n = b.keys.count, p.b = own.as<const T>() + b.keys.first * own.width + column, p.c = c + b.keys.prefixes;
      product(p);
    }
  }

  /// y [rows, dim] = alpha · w [rows, width] · [prefix; own], one head of each matrix.
  void times_rows(const QueryBlock& b, std::int64_t head, T alpha, const T* w, const View& prefix, const View& own, const View& y) const {
    cpu::Gemm<T> p;
    p.m = b.rows, p.n = dim;
    p.lda = b.width(), p.ldb = own.width, p.ldc = y.width, p.alpha = alpha;
    p.c = y.as<T>() + b.first * y.width + head * dim;
    const std::int64_t column = head / group * dim;
    if (b.keys.prefixes > 0) {
      p.k = b.keys.prefixes, p.a = w, p.b = prefix.as<const T>() + b.keys.prefix_first * own.width + column;
      product(p);
      p.beta = 1;
    }
    if (b.keys.count > 0) {
      p.k = b.keys.count, p.a = w + b.keys.prefixes, p.b = own.as<const T>() + b.keys.first * own.width + column;
      product(p);
      p.beta = 1;
    }
    if (p.beta == T(0)) {
      for (std::int64_t i = 0; i < b.rows; ++i) std::fill_n(p.c + i * y.width, dim, T(0));
    }
  }

  /// Scores [rows, width] with biases. Those of keys that a row does not see mean nothing.
  void scores(const QueryBlock& b, std::int64_t head, T* s) const {
    times_keys(b, head, scale, q, prefix_k, k, s);
    if (relative.bias == nullptr) return;
    for (std::int64_t i = 0; i < b.rows; ++i) {
      T* row = s + i * b.width();
      if (options.prefix_has_positions) relative.add(head, {nullptr, -b.keys.prefixes}, b.position[i], b.keys.prefixes, row);
      relative.add(head, own_positions(b), b.position[i], b.visible[i], row + b.keys.prefixes);
    }
  }

  [[nodiscard]] KeyPositions own_positions(const QueryBlock& b) const noexcept {
    return {k.layout->positions != nullptr ? k.layout->positions + b.keys.first : nullptr, 0};
  }
};

}  // namespace preamble::PREAMBLE_ISA
