// The weights of a loss: one for all rows, or one for each.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstdint>

#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
class RowWeights {
 public:
  explicit RowWeights(const View& weight) noexcept : data_(weight.as<const T>()), each_(weight.layout != nullptr) {}

  [[nodiscard]] double operator[](std::int64_t row) const noexcept { return static_cast<double>(data_[each_ ? row : 0]); }
  /// What a row's term of a sum is multiplied with, and what the sum is.
  [[nodiscard]] double in_term(std::int64_t row) const noexcept { return each_ ? static_cast<double>(data_[row]) : 1.0; }
  [[nodiscard]] double in_sum() const noexcept { return each_ ? 1.0 : static_cast<double>(data_[0]); }

 private:
  const T* data_;
  bool each_;
};

}  // namespace preamble::PREAMBLE_ISA
