// Dropout of attention probabilities: masks that are made where they are needed. Included by .cu files alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/backend/cuda/kernel.h"
#include "engine/backend/cuda/philox.cuh"
#include "engine/ops/attention_dropout.h"

namespace preamble::cuda {

/// Eight keys share a counter, two of them a word: key j reads half (j / 16) mod 8 of counter 16 ⌊j / 128⌋ + j mod 16.
class ProbabilityMask {
 public:
  ProbabilityMask() = default;
  ProbabilityMask(const AttentionDropout& dropout, const View& key) : stream_(dropout.stream) {
    if (!key) return;
    key_ = key.as<const std::uint32_t>();
    constexpr double kSteps = 65536;
    threshold_ = static_cast<std::uint32_t>(std::min(std::round(dropout.rate * kSteps), kSteps - 1));
    scale_ = static_cast<float>(kSteps / (kSteps - threshold_));
  }

  [[nodiscard]] __host__ __device__ explicit operator bool() const { return threshold_ > 0; }
  /// Of the probabilities that stay.
  [[nodiscard]] __device__ float scale() const { return scale_; }

  /// The words of key j, of 16 more keys each 16 further, for `query` = position · heads + head of a segment.
  [[nodiscard]] __device__ uint4 words(std::int32_t segment, std::uint32_t query, std::uint32_t j) const {
    return philox(make_uint4(j / 128 * 16 + j % 16, query, static_cast<std::uint32_t>(segment), stream_), make_uint2(key_[0], key_[1]));
  }
  /// Does key j stay, with the words of its counter?
  [[nodiscard]] __device__ bool keeps(const uint4& words, std::uint32_t j) const {
    const std::uint32_t half = j % 128 / 16;
    const std::uint32_t word = half < 4 ? (half < 2 ? words.x : words.y) : (half < 6 ? words.z : words.w);
    return ((word >> (half % 2 * 16)) & 0xFFFFU) >= threshold_;
  }
  /// Factor of one probability.
  [[nodiscard]] __device__ float factor(std::int32_t segment, std::uint32_t query, std::uint32_t j) const {
    return keeps(words(segment, query, j), j) ? scale_ : 0.0F;
  }

 private:
  const std::uint32_t* key_ = nullptr;  ///< in device memory
  std::uint32_t stream_ = 0;
  std::uint32_t threshold_ = 0;  ///< halves of words below are dropped
  float scale_ = 1;
};

}  // namespace preamble::cuda
