// Frozen matrices of all types: converted to the type of activations, or read in a product as they lie. Included by .cu files alone.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/backend/cuda/kernel.h"
#include "engine/core/stored_matrix.h"

namespace preamble::cuda {

/// Is a matrix of this type read by kernels of its own, and converted for products of many rows? All but float32 and bf16.
[[nodiscard]] constexpr bool is_encoded(Dtype stored) noexcept { return stored == Dtype::f16 || is_quantised(stored); }

/// The matrix behind an operand without rows: [N, D], or [N] as N rows of one column. Its values and scales lie in device memory.
[[nodiscard]] StoredMatrix stored(const View& w);

/// to[r, :] = w[first_row + r, first_column + :] for r < rows: float32 or bf16, `width` numbers a row. `first_column` is a multiple of 8. Throws
/// DeviceError for a type that the GPU does not read.
void decode_rows(const char* name, const View& w, std::int64_t first_row, std::int64_t first_column, std::int64_t rows, std::int64_t width,
                 const View& to, const Queue& queue);

/// The whole matrix in the type of `to`, whatever it is stored in.
void convert_matrix(const char* name, const View& w, const View& to, const Queue& queue);

/// y[r, :] = w[index[r], :] for the rows of y.
void gather_encoded_rows(const char* name, const View& w, const std::int32_t* index, const View& y, const Queue& queue);

/// to[i, :] = w[rows[i], :]
void pick_encoded_rows(const char* name, const View& w, const std::vector<std::int32_t>& rows, const View& to, const Queue& queue);

/// Rows that are multiplied with an encoded matrix as it lies: reading it is what such a product costs.
inline constexpr std::int64_t kFewStoredRows = 16;

/// y [rows, N] = x [rows, K] W + bias + addend. W is encoded: [N, K], or else [K, N]. Rows are those of x, of which there are at most
/// `kFewStoredRows`; sums are float32 and of a fixed order, which does not depend on the number of rows.
struct FewRows {
  View x, w;
  bool out_in = true;
  View bias;    ///< [N]; may be absent
  View addend;  ///< [rows, N]; may be absent, or y
  View y;
};
void few_rows_product(const char* name, const FewRows& product, const Queue& queue);

}  // namespace preamble::cuda
