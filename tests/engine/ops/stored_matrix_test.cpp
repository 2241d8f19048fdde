// Frozen matrices of every type, read by every op that reads one.
#include "engine/core/stored_matrix.h"

#include <array>
#include <functional>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/ops/gather_rows.h"
#include "engine/ops/head_linear.h"
#include "engine/ops/linear.h"
#include "engine/ops/linear_cross_entropy.h"
#include "engine/ops/pick_rows.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/stored_matrices.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

namespace stored_matrix_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

Tensor floats(const Tensor& stored) { return stored.to(Dtype::f32); }

using Build = std::function<Value(Graph&, const std::vector<Value>& x, Value w)>;

/// The value with the matrix as it is stored, or as its numbers in float32 say.
Tensor result(Dtype real, std::vector<Operand> operands, std::int32_t rows, const Tensor& w, const Build& build) {
  GradientCase test;
  test.spaces = {{"r", Segments(std::array{rows})}};
  test.operands = std::move(operands);
  test.build = [&](Graph& graph, const std::vector<Value>& v) { return build(graph, v, graph.frozen("stored", w)); };
  return evaluate(test, real);
}

/// Whether products of a few rows multiply by scales once a sum, not once a number.
bool scales_sums(Dtype type) { return type == Dtype::int8_rows || type == Dtype::int8_columns; }

/// Both ways give the same numbers, in both types of activations and with any number of threads; the types agree to rounding. What
/// `scales_sums` agrees to rounding in float32.
void check_same(const std::vector<Operand>& operands, std::int32_t rows, const Tensor& w, const Build& build) {
  std::vector<double> exact;
  for (const Dtype real : {Dtype::f64, Dtype::f32}) {
    std::vector<double> expected;
    for (const int threads : {1, 3}) {
      const Threads limit(threads);
      const auto given = numbers(result(real, operands, rows, w, build));
      if (expected.empty()) {
        expected = numbers(result(real, operands, rows, floats(w).to(real), build));
        if (real == Dtype::f32 && scales_sums(w.dtype())) {
          check_close(given, expected, 1e-5);
          expected = given;
        }
      }
      CHECK(given == expected);
    }
    if (real == Dtype::f64) exact = expected;
    check_close(expected, exact, 1e-5);
  }
}

}  // namespace

TEST_CASE("stored matrix: products give what the numbers in float32 give") {
  constexpr std::int64_t kWide = 512, kNarrow = 6;
  for (const Dtype type : kStoredTypes) {
    CAPTURE(name_of(type));
    const Tensor w = stored_matrix(type, kNarrow, kWide, 5);
    for (const std::int32_t rows : {1, 5, 40}) {
      check_same({{"x", random_tensor({rows, kWide}, 1), "r"}, {"b", random_tensor({kNarrow}, 2)}}, rows, w,
                 [](Graph&, const auto& v, Value m) { return linear(v[0], m, v[1]); });
      check_same({{"x", random_tensor({rows, kNarrow}, 1), "r"}, {"y", random_tensor({rows, kWide}, 3), "r"}}, rows, w,
                 [](Graph&, const auto& v, Value m) { return linear_add(v[0], m, {}, v[1], WeightLayout::in_out); });
      check_same({{"x", random_tensor({rows, kNarrow}, 1), "r"}}, rows, w, [](Graph&, const auto& v, Value m) {
        return linear_activation(v[0], m, {}, WeightLayout::in_out, ActivationKind::gelu_tanh);
      });
      check_same({{"x", random_tensor({rows, kNarrow}, 1), "r"}}, rows, w,
                 [](Graph&, const auto& v, Value m) { return head_reduce(head_expand(v[0], m, 3), m, 3); });
    }
  }
}

TEST_CASE("stored matrix: long rows and many outputs of a few rows of the batch") {
  constexpr std::int64_t kLong = 4096 + 768;  // a multiple of every type's blocks, longer than what is read of a row at a time
  for (const Dtype type : kStoredTypes) {
    CAPTURE(name_of(type));
    const Tensor w = stored_matrix(type, 19, kLong, 5);
    for (const std::int32_t rows : {1, 4, 7}) {
      CAPTURE(rows);
      check_same({{"x", random_tensor({rows, kLong}, 1), "r"}}, rows, w, [](Graph&, const auto& v, Value m) { return linear(v[0], m); });
      check_same({{"x", random_tensor({rows, 19}, 1), "r"}}, rows, w,
                 [](Graph&, const auto& v, Value m) { return linear(v[0], m, Value{}, WeightLayout::in_out); });
    }
  }
}

TEST_CASE("stored matrix: two products in chunks of columns") {
  constexpr std::int64_t kWide = 768, kNarrow = 256;
  for (const Dtype type : kStoredTypes) {
    CAPTURE(name_of(type));
    const Tensor w = stored_matrix(type, kNarrow, kWide, 9);
    for (const std::int32_t rows : {2, 19}) {
      check_same({{"x", random_tensor({rows, kNarrow}, 1), "r"}}, rows, w, [](Graph&, const auto& v, Value m) {
        return linear(linear_activation(v[0], m, {}, WeightLayout::in_out, ActivationKind::relu), m, {}, WeightLayout::out_in);
      });
    }
  }
}

TEST_CASE("stored matrix: losses and rows of tables") {
  constexpr std::int64_t kVocabulary = 11, kWide = 256;
  for (const Dtype type : kStoredTypes) {
    CAPTURE(name_of(type));
    const Tensor w = stored_matrix(type, kVocabulary, kWide, 7);
    check_same({{"x", random_tensor({4, kWide}, 1), "r"}, {"labels", indices({3, 0, 10, 3}), "r"}, {"weight", doubles({}, {0.25})}}, 4, w,
               [](Graph&, const auto& v, Value m) { return linear_cross_entropy(v[0], m, {}, v[1], v[2]); });
    check_same({{"index", indices({3, 0, 10, 3}), "r"}}, 4, w, [](Graph&, const auto& v, Value m) { return gather_rows(m, v[0]); });
    check_same({}, 1, w, [](Graph&, const auto&, Value m) { return pick_rows(m, {4, 2, 10}); });
  }
}

TEST_CASE("stored matrix: gradients of what stands in front of it") {
  for (const Dtype type : {Dtype::f16, Dtype::int8_columns, Dtype::nf4_32}) {
    CAPTURE(name_of(type));
    const Tensor w = stored_matrix(type, 5, 40, 3), head = stored_matrix(type, 7, 40, 4);
    GradientCase test{
        {{"r", Segments(std::array{3})}},
        {{"x", random_tensor({3, 5}, 1), "r"}, {"labels", indices({3, 0, 6}), "r"}, {"weight", doubles({}, {0.5}), {}, false}},
        [&](Graph& graph, const auto& v) {
          const Value hidden = linear(v[0], graph.frozen("w", w), {}, WeightLayout::in_out);
          return linear_cross_entropy(hidden, graph.frozen("head", head), {}, v[1], v[2]);
        }};
    check_gradients(test);
  }
}

}  // namespace stored_matrix_test
