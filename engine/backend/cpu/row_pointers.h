// Pointers into neighbouring rows of a matrix.
#pragma once

#include <cstddef>
#include <cstdint>

namespace preamble::cpu {

/// The same place in kRows rows of a matrix. A pointer for four rows and a step reach all of them: a pointer for each would not fit into the
/// registers, and compilers keep what does not in vector registers, whose moves take the place of products. Rows are named by constants,
/// in loops that are unrolled.
template <int kRows>
class RowPointers {
 public:
  /// `step`: bytes from a row to the next.
  [[gnu::always_inline]] RowPointers(const void* first, std::int64_t step) noexcept : step_(step), thrice_(3 * step) {
    for (int b = 0; b < kBases; ++b) bases_[b] = static_cast<const std::byte*>(first) + 4 * b * step;
  }

  [[nodiscard, gnu::always_inline]] const std::byte* operator[](int row) const noexcept {
    const std::byte* base = bases_[row / 4];
    return row % 4 == 3 ? base + thrice_ : base + row % 4 * step_;
  }
  /// To a place that lies so many bytes behind.
  [[gnu::always_inline]] void advance(std::int64_t bytes) noexcept {
#pragma GCC unroll 8
    for (int b = 0; b < kBases; ++b) {
      bases_[b] += bytes;
      // or the compiler would make a pointer for each row again
      asm("" : "+r"(bases_[b]));
    }
  }

 private:
  static constexpr int kBases = (kRows + 3) / 4;

  const std::byte* bases_[kBases];
  std::int64_t step_, thrice_;
};

}  // namespace preamble::cpu
