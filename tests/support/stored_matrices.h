// Frozen matrices of all types.
#pragma once

#include <array>
#include <cstdint>

#include "engine/core/dtype.h"
#include "engine/core/tensor.h"

namespace preamble::testing {

/// The types that a frozen matrix may have beside float32.
inline constexpr std::array kStoredTypes = {Dtype::bf16,    Dtype::f16,    Dtype::int8_rows, Dtype::int8_columns, Dtype::int4_32, Dtype::int4_64,
                                            Dtype::nf4_32,  Dtype::nf4_64, Dtype::q8_0,      Dtype::q4_0,         Dtype::q4_k,    Dtype::q6_k};

/// A matrix [rows, columns] of that type; `columns` must fit it. Numbers of types that are quantised here come from random ones in [-1, 1]; the
/// bytes of others are made up, with scales that are small numbers.
[[nodiscard]] Tensor stored_matrix(Dtype type, std::int64_t rows, std::int64_t columns, std::uint64_t seed);

}  // namespace preamble::testing
