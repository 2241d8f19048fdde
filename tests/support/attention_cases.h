// Variants of attention: as plain loops compute them, and as graphs.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/gradient_check.h"
#include "tests/support/naive_attention.h"

namespace preamble::testing {

[[nodiscard]] Segments segments_of(std::initializer_list<std::int32_t> lengths);

/// Which operands a case has beside q, k and v.
struct AttentionCaseShape {
  std::int64_t dim = 4;
  std::int64_t buckets = 0;  ///< 0: no bias table
  bool prefix = false;
  bool position_k = false, position_q = false;
};

/// Fills the tensors of a case with random numbers for its options and row spaces.
[[nodiscard]] NaiveAttention filled(NaiveAttention a, const AttentionCaseShape& shape, std::uint64_t seed = 1);

/// The case as a graph. `output` is that of the op: o or log_sum_exp.
[[nodiscard]] GradientCase graph_of(const NaiveAttention& a, std::int32_t output = 0);

/// The variants of attention, small. With a prefix: slots of 3, 0, 2 and 1 rows, the last of which nobody uses.
[[nodiscard]] std::vector<std::pair<std::string, NaiveAttention>> small_attention_cases();

/// A case large enough for several blocks of queries and for the matrix library.
[[nodiscard]] NaiveAttention large_attention_case(bool causal);

/// The causal one with keys that all queries of a segment see.
[[nodiscard]] NaiveAttention large_context_case();

/// The same with position tables: bands of several blocks and panels.
[[nodiscard]] NaiveAttention large_disentangled_case();

/// Output and gradients of the `trained` operands of a case (none: of all), by name, computed on a backend (none: the default one).
[[nodiscard]] std::vector<std::pair<std::string, Tensor>> run_all(const NaiveAttention& a, Dtype real,
                                                                  const std::vector<std::string>& trained = {},
                                                                  const Backend* backend = nullptr);

/// Largest difference relative to the largest element, or to `floor` if that is larger; F32 or F64 against F64.
[[nodiscard]] double distance(const Tensor& found, const Tensor& expected, double floor = 1e-300);

}  // namespace preamble::testing
