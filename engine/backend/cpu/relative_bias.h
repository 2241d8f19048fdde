// Biases of attention scores by relative position.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/math.h"
#include "engine/core/widen.h"
#include "engine/graph/kernel.h"
#include "engine/backend/cpu/attention_scratch.h"

namespace preamble::PREAMBLE_ISA {

/// Where the keys of a row of scores stand: listed, or one behind the other.
struct KeyPositions {
  const std::int32_t* listed = nullptr;
  std::int64_t first = 0;
};

/// Clamped distances of keys from a query, as indices into tables [2 reach + 1]: calls body(begin, end, at, step) for ranges
/// of keys. Key j has the distance at + (j - begin) · step.
template <class Body>
void for_distances(const KeyPositions& keys, std::int64_t query, std::int64_t count, std::int64_t reach, const Body& body) noexcept {
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

/// Relative positions with a bias table: biases of all heads by clamped distance.
template <class T>
struct RelativeBias {
  const T* bias = nullptr;                ///< [H, 2 reach + 1], null without a table
  const std::int32_t* buckets = nullptr;  ///< [2 reach + 1]
  std::int64_t reach = 0;

  /// `scratch.bias` and `scratch.buckets` bytes at `workspace` hold the result.
  static RelativeBias make(const View& table, const AttentionOptions& options, const AttentionScratch& scratch,
                           std::byte* workspace) noexcept {
    if (!table) return {};
    const std::int64_t distances = AttentionScratch::distances(options);
    T* bias = reinterpret_cast<T*>(workspace);
    auto* buckets = reinterpret_cast<std::int32_t*>(workspace + scratch.bias);
    const std::int64_t count = (*table.dims)[0];
    const auto number = [&](std::int64_t i) {
      return table.dtype == Dtype::bf16 ? static_cast<T>(widen(table.as<const BFloat16>()[i])) : table.as<const T>()[i];
    };
    for (std::int64_t d = 0; d < distances; ++d) {
      buckets[d] = relative_position_bucket(d - options.relative.max_distance, options.relative, count);
      for (std::int64_t h = 0; h < options.heads; ++h) bias[h * distances + d] = number(buckets[d] * options.heads + h);
    }
    return {bias, buckets, options.relative.max_distance};
  }

  [[nodiscard]] const T* of(std::int64_t head) const noexcept { return bias + head * (2 * reach + 1); }

  /// scores[j] += bias of key j for a query at position `query`.
  void add(std::int64_t head, const KeyPositions& keys, std::int64_t query, std::int64_t count, T* scores) const noexcept {
    const T* biases = of(head);
    for_distances(keys, query, count, reach, [&](std::int64_t begin, std::int64_t end, std::int64_t at, std::int64_t step) {
      const T* from = biases + at;
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
    for_distances(keys, query, count, reach, [&](std::int64_t begin, std::int64_t end, std::int64_t at, std::int64_t step) {
      const T* from = gradients + begin;
      double* to = sums + at;
      if (step == 0) {
        if (end > begin) *to += sum_of(from, end - begin);
      } else {
#pragma omp simd
        for (std::int64_t j = 0; j < end - begin; ++j) to[j] += static_cast<double>(from[j]);
      }
    });
  }
};

}  // namespace preamble::PREAMBLE_ISA
