// Tensors written out in tests, and comparisons with them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/tensor.h"

namespace preamble::testing {

[[nodiscard]] inline Tensor doubles(Dims dims, const std::vector<double>& values) {
  Tensor tensor(Dtype::f64, std::move(dims));
  REQUIRE(tensor.count() == static_cast<std::int64_t>(values.size()));
  std::ranges::copy(values, tensor.values<double>().begin());
  return tensor;
}

[[nodiscard]] inline Tensor indices(const std::vector<std::int32_t>& values) {
  return tensor_of({static_cast<std::int64_t>(values.size())}, values);
}

/// Elements of a floating tensor as doubles.
[[nodiscard]] inline std::vector<double> numbers(const Tensor& tensor) {
  const Tensor converted = tensor.to(Dtype::f64);
  const auto values = converted.values<double>();
  return {values.begin(), values.end()};
}

/// Fails unless all elements differ by at most `tolerance`, relative to the largest expected one (at least 1).
inline void check_close(const std::vector<double>& given, const std::vector<double>& expected, double tolerance) {
  REQUIRE(given.size() == expected.size());
  double largest = 1;
  for (const double x : expected) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK_MESSAGE(std::abs(given[i] - expected[i]) <= tolerance * largest, "element ", i, ": ", given[i], " instead of ", expected[i]);
  }
}

inline void check_close(const Tensor& given, const std::vector<double>& expected, double tolerance = 1e-12) {
  check_close(numbers(given), expected, tolerance);
}

}  // namespace preamble::testing
