// Quantised matrices made from floating ones, and back.
#pragma once

#include "engine/core/tensor.h"

namespace preamble {

/// A matrix [N, K] of any floating or quantised type in a quantised type, row by row, so that no copy in float32 exists:
///
///   int8_rows, int8_columns   q = round(127 w / m) with m the largest |w| of the row or column; scale m / 127
///   int4_32, int4_64          q = round(7 w / m) with m the largest |w| of 32 or 64 elements of a row; scale m / 7
///   nf4_32, nf4_64            the nearest of the 16 numbers of NF4 to w / m; scale m (Dettmers et al. 2023)
///
/// Throws ShapeError for a tensor that is no matrix, DtypeError for an integer tensor and for the types of GGUF, which are read only,
/// Error for a value that is not finite.
[[nodiscard]] Tensor quantise(const Tensor& matrix, Dtype to);

/// Rows [first, first + count) of a quantised matrix in F32.
[[nodiscard]] Tensor dequantise(const Tensor& matrix, std::int64_t first, std::int64_t count);

/// How far a quantised matrix lies from its source.
struct QuantisationError {
  double relative = 0;  ///< ‖q - w‖ / ‖w‖, Frobenius; 0 for a matrix of zeros
  double largest = 0;   ///< largest |q - w|
};
/// Throws ShapeError if the matrices differ in shape.
[[nodiscard]] QuantisationError quantisation_error(const Tensor& quantised, const Tensor& source);

}  // namespace preamble
