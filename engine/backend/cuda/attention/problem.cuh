// What all attention kernels read, and which keys a query sees. Included by .cu files alone.
#pragma once

#include <climits>
#include <cstdint>

#include "engine/backend/cuda/attention/dropout.cuh"
#include "engine/backend/cuda/attention_scratch.h"
#include "engine/backend/cuda/kernel.h"
#include "engine/backend/cuda/real.cuh"
#include "engine/ops/attention.h"

namespace preamble::cuda {

/// Rows of float32 or bf16 that a kernel reads.
struct RowsIn {
  const void* data = nullptr;
  std::int32_t width = 0;
  bool narrow = false;  ///< bf16

  RowsIn() = default;
  /// Throws DeviceError if the view is present and of neither type.
  explicit RowsIn(const View& view) : data(view.data), width(static_cast<std::int32_t>(view.width)), narrow(view.dtype == Dtype::bf16) {
    if (view) require_real(view.dtype);
  }
  [[nodiscard]] __host__ __device__ explicit operator bool() const { return data != nullptr; }
  /// One of two, chosen without taking the address of a kernel parameter.
  [[nodiscard]] static __device__ RowsIn pick(bool first, const RowsIn& a, const RowsIn& b) {
    RowsIn x;
    x.data = first ? a.data : b.data;
    x.width = first ? a.width : b.width;
    x.narrow = first ? a.narrow : b.narrow;
    return x;
  }
  [[nodiscard]] __device__ const void* at(std::int64_t row, int column) const {
    const std::int64_t i = row * width + column;
    return narrow ? static_cast<const void*>(static_cast<const Bf16*>(data) + i)
                  : static_cast<const void*>(static_cast<const float*>(data) + i);
  }
};

/// Rows of float32 or bf16 that a kernel writes; may be absent.
struct RowsOut {
  void* data = nullptr;
  std::int32_t width = 0;
  bool narrow = false;

  RowsOut() = default;
  explicit RowsOut(const View& view) : data(view.data), width(static_cast<std::int32_t>(view.width)), narrow(view.dtype == Dtype::bf16) {
    if (view) require_real(view.dtype);
  }
  RowsOut(float* sums, std::int64_t columns) : data(sums), width(static_cast<std::int32_t>(columns)) {}
  [[nodiscard]] __host__ __device__ explicit operator bool() const { return data != nullptr; }
  /// float32 sums, so many elements further on.
  [[nodiscard]] __device__ RowsOut shifted(std::int64_t elements) const {
    RowsOut out = *this;
    if (elements != 0) out.data = static_cast<float*>(data) + elements;
    return out;
  }
  __device__ void set(std::int64_t row, int column, float x) const {
    const std::int64_t i = row * width + column;
    if (narrow) {
      static_cast<Bf16*>(data)[i] = __float2bfloat16_rn(x);
    } else {
      static_cast<float*>(data)[i] = x;
    }
  }
};

/// Keys that a segment of queries may see, one behind the other: rows of P, then rows of K.
struct SegmentKeys {
  std::int32_t prefix_first, prefixes;
  std::int32_t first, count;
};

/// A kernel parameter.
struct AttentionProblem {
  RowsIn q, k, v, prefix_k, prefix_v, position_k, position_q;
  const Layout* q_layout = nullptr;
  const Layout* k_layout = nullptr;
  const Layout* prefix_layout = nullptr;
  const std::int32_t* slots = nullptr;
  const std::int32_t* kv_segment = nullptr;
  const float* bias = nullptr;           ///< [H, 2 reach + 1] by clamped distance key - query
  const std::int32_t* row_at = nullptr;  ///< [2 reach + 1] bucket, or row of the position tables
  std::int32_t reach = 0;
  std::int32_t heads = 1, kv_heads = 1, group = 1, dim = 0;
  float scale = 1;
  bool causal = false, prefix_has_positions = false;
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
    SegmentKeys s{0, 0, 0, 0};
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
  /// Own keys that a query at `position` sees: the first ones of its segment.
  [[nodiscard]] __device__ std::int32_t visible(const SegmentKeys& s, std::int32_t position) const {
    if (!causal || s.count == 0) return s.count;
    const std::int32_t* at = k_layout->positions + s.first;
    // most segments stand at places without gaps: the guess is right
    const std::int32_t guess = min(max(position - at[0] + 1, 0), s.count);
    if ((guess == 0 || at[guess - 1] <= position) && (guess == s.count || at[guess] > position)) return guess;
    std::int32_t low = 0;
    std::int32_t high = s.count;
    while (low < high) {
      const std::int32_t middle = (low + high) / 2;
      if (at[middle] <= position) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /// Key j of a segment, prefix keys first: its row in P or K.
  [[nodiscard]] static __device__ std::int32_t row(const SegmentKeys& s, std::int32_t j) {
    return j < s.prefixes ? s.prefix_first + j : s.first + j - s.prefixes;
  }
  /// Stands for the place of a key that gets no bias and no position terms.
  static constexpr std::int32_t kNoPlace = INT_MIN;
  /// Place of key j for biases and position terms.
  [[nodiscard]] __device__ std::int32_t place(const SegmentKeys& s, std::int32_t j) const {
    if (j < s.prefixes) return prefix_has_positions && bias != nullptr ? j - s.prefixes : kNoPlace;
    return j < s.prefixes + s.count ? k_layout->positions[s.first + j - s.prefixes] : kNoPlace;
  }
  /// Index of a distance key - query in tables by clamped distance.
  [[nodiscard]] __device__ std::int32_t distance(std::int32_t key, std::int32_t query) const {
    return min(max(key - query, -reach), reach) + reach;
  }
};

/// The operands of both attention ops.
[[nodiscard]] AttentionProblem attention_problem(const Arguments& args, const AttentionOptions& options);
[[nodiscard]] AttentionSizes attention_sizes(const Arguments& args, const AttentionProblem& problem);

/// Fills the regions `rows` and `bias` of the scratch memory, where there is a bias table or position tables, and lets the problem
/// point at them.
void prepare_tables(const View& bias_table, const AttentionOptions& options, const AttentionSizes& sizes, const AttentionScratch& scratch,
                    std::byte* memory, const Queue& queue, AttentionProblem& problem);

}  // namespace preamble::cuda
