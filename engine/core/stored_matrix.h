// A frozen matrix as it lies in memory: the one description that kernels, loaders and files read it through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/core/dtype.h"

namespace preamble {

/// Values, element type, scales and layout of a matrix [rows, columns].
///
/// Element types lie row by row. Matrices that are quantised here have their values first, row by row, and float32 scales behind them, from
/// the next multiple of 64 bytes on; 4-bit values stand in groups of 32, whose byte j holds element j in its low and element 16 + j in its
/// high half, and the last group of a row may hold fewer. Blocks of GGUF hold their scales themselves.
struct StoredMatrix {
  Dtype dtype = Dtype::f32;
  std::int64_t rows = 0, columns = 0;
  const std::byte* values = nullptr;
  std::int64_t row_bytes = 0;  ///< of values, from a row to the next
  /// Null where elements have no scale or blocks hold their own.
  const float* scales = nullptr;
  std::int64_t row_scales = 0;  ///< from a row's scales to the next row's: 0 if all rows share one for each column
  std::int64_t group = 1;       ///< elements of a row with one scale

  /// The matrix at `data`. Throws ShapeError for columns that a quantised type cannot hold: blocks of GGUF are not divided.
  [[nodiscard]] static StoredMatrix of(Dtype dtype, std::int64_t rows, std::int64_t columns, const void* data);

  /// Bytes of values and scales together.
  [[nodiscard]] std::int64_t bytes() const noexcept;
  /// Where a row's values begin.
  [[nodiscard]] const std::byte* row(std::int64_t r) const noexcept { return values + r * row_bytes; }
};

/// Bytes of a tensor of these dimensions; those of a quantised type are a matrix.
[[nodiscard]] std::int64_t bytes_of(Dtype dtype, std::span<const std::int64_t> dims) noexcept;

/// Smallest number of columns of which a row's columns must be a multiple: 32 or 256 for blocks of GGUF, else 1.
[[nodiscard]] std::int64_t block_columns(Dtype dtype) noexcept;

}  // namespace preamble
