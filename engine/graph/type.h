// What is known of a value before anything runs: element type, row space, width.
#pragma once

#include <cstdint>
#include <string>

#include "engine/core/dtype.h"
#include "engine/core/tensor.h"

namespace preamble {

/// Index of a row space in its graph.
using RowSpaceId = std::int32_t;
inline constexpr RowSpaceId kNoRows = -1;

/// A leading dimension whose extent is known only at run time, up to a capacity.
struct RowSpace {
  std::string name;
  std::int64_t rows = 0;      ///< capacity
  std::int64_t segments = 0;  ///< capacity
  /// Of a subset: the space whose rows these are. The input `index()` says which of them; their places follow from it.
  RowSpaceId parent = kNoRows;

  [[nodiscard]] bool is_subset() const noexcept { return parent != kNoRows; }
  /// Name of a subset's index, i32 [rows].
  [[nodiscard]] std::string index() const { return name + ".index"; }
  bool operator==(const RowSpace&) const = default;
};

/// Type of a value. With a row space the value is `[rows, dims...]`, without one it is `[dims...]`.
struct Type {
  Dtype dtype = Dtype::f32;
  RowSpaceId rows = kNoRows;
  Dims dims;

  /// Elements of one row; of the whole value if it has no row space.
  [[nodiscard]] std::int64_t width() const noexcept { return count_of(dims); }
  [[nodiscard]] bool has_rows() const noexcept { return rows != kNoRows; }
  bool operator==(const Type&) const = default;
};

}  // namespace preamble
