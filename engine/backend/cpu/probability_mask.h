// Dropout of attention probabilities: masks that are made where they are needed.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/backend/cpu/philox.h"
#include "engine/graph/kernel.h"
#include "engine/ops/attention.h"

namespace preamble::PREAMBLE_ISA {

/// One head of one query, as the masks know it: none of it depends on tiles, threads or the other rows of its space.
struct ProbabilityRow {
  std::int32_t segment;
  std::int64_t position;
  std::int64_t head;
};

/// What each probability is multiplied by.
template <class T>
class ProbabilityMask {
 public:
  ProbabilityMask(const AttentionOptions& options, const View& key) noexcept : heads_(options.heads), stream_(options.dropout.stream) {
    if (!key) return;
    for (int i = 0; i < 2; ++i) key_[i] = static_cast<std::uint32_t>(key.as<const std::int32_t>()[i]);
    constexpr double kSteps = 0x1.0p16;
    threshold_ = static_cast<std::uint32_t>(std::min(std::round(options.dropout.rate * kSteps), kSteps - 1));
    scale_ = static_cast<T>(kSteps / (kSteps - threshold_));
  }

  explicit operator bool() const noexcept { return threshold_ > 0; }
  /// Of the probabilities that stay.
  [[nodiscard]] T scale() const noexcept { return scale_; }

  /// Calls body(first, count, factors) for pieces of a row's keys [0, keys): key first + i has factors[i], 0 or the scale. `skipped`: keys
  /// in front of these that count in its masks.
  template <class Body>
  void for_pieces(const ProbabilityRow& row, std::int64_t skipped, std::int64_t keys, const Body& body) const noexcept {
    for (std::int64_t piece = skipped / kPiece * kPiece; piece < skipped + keys; piece += kPiece) {
      T factors[kPiece];
      fill(row, piece, factors);
      const std::int64_t first = std::max(piece, skipped);
      body(first - skipped, std::min(piece + kPiece, skipped + keys) - first, factors + (first - piece));
    }
  }

 private:
  static constexpr std::int64_t kCounters = 16;
  /// Two keys a word.
  static constexpr std::int64_t kPiece = kCounters * 8;

  void fill(const ProbabilityRow& row, std::int64_t first, T* factors) const noexcept {
    const auto head = static_cast<std::uint32_t>(row.position * heads_ + row.head);
    std::uint32_t words[4][kCounters];
#pragma omp simd
    for (std::int64_t i = 0; i < kCounters; ++i) {
      const PhiloxWords w = philox_words(
          {{static_cast<std::uint32_t>(first / 8 + i), head, static_cast<std::uint32_t>(row.segment), stream_}}, key_[0], key_[1]);
      words[0][i] = w.word[0];
      words[1][i] = w.word[1];
      words[2][i] = w.word[2];
      words[3][i] = w.word[3];
    }
    const std::uint32_t threshold = threshold_;
    const T scale = scale_;
    for (const auto& word : words) {
#pragma omp simd
      for (std::int64_t i = 0; i < kCounters; ++i) {
        factors[i] = (word[i] & 0xFFFFU) < threshold ? T(0) : scale;
        factors[kCounters + i] = (word[i] >> 16U) < threshold ? T(0) : scale;
      }
      factors += 2 * kCounters;
    }
  }

  std::int64_t heads_;
  std::uint32_t key_[2] = {};
  std::uint32_t stream_;
  std::uint32_t threshold_ = 0;  ///< halves of words below are dropped
  T scale_ = 1;
};

}  // namespace preamble::PREAMBLE_ISA
