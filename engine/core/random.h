// Counter-based random numbers: the n-th number of a stream is a function of (seed, stream, n) alone, so results do
// not depend on threads or on what ran before, and the whole state is three integers.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace preamble {

/// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four 32-bit words per counter.
[[nodiscard]] std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) noexcept;

/// A sequence of random numbers with a position that can be saved and restored.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) noexcept : seed_(seed), stream_(stream) {}

  /// 32 uniform bits.
  [[nodiscard]] std::uint32_t bits() noexcept;
  /// Uniform in [0, 1), 24 bits.
  [[nodiscard]] float uniform() noexcept;
  [[nodiscard]] float uniform(float low, float high) noexcept { return low + (high - low) * uniform(); }
  /// Standard normal (Box-Muller).
  [[nodiscard]] float normal() noexcept;
  /// Uniform in [0, n), without bias. n must not be 0.
  [[nodiscard]] std::uint32_t below(std::uint32_t n) noexcept;
  /// A permutation of 0 .. n-1 (Fisher-Yates).
  [[nodiscard]] std::vector<std::uint32_t> permutation(std::uint32_t n);

  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  void seek(std::uint64_t position) noexcept { position_ = position; }

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;
};

}  // namespace preamble
