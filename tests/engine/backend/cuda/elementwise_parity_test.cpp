#include <array>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/activation.h"
#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gated.h"
#include "tests/support/activations.h"
#include "tests/support/device_parity.h"
#include "tests/support/values.h"

namespace elementwise_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Operands a, b of one size over three sequences, one of them empty.
GradientCase two_matrices(std::int64_t width, std::function<Value(Graph&, const std::vector<Value>&)> build) {
  const Segments segments(std::array{37, 0, 5});
  return {{{"r", segments}},
          {{"a", random_tensor({segments.rows(), width}, 1), "r"}, {"b", random_tensor({segments.rows(), width}, 2), "r"}},
          std::move(build)};
}

// whole octets, and rows that end within one
constexpr std::array<std::int64_t, 3> kWidths = {64, 13, 1};

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: sums, products and scalings") {
    for (const auto width : kWidths) {
      check_parity("add", two_matrices(width, [](Graph&, const auto& v) { return add(v[0], v[1]); }));
      check_parity("multiply", two_matrices(width, [](Graph&, const auto& v) { return multiply(v[0], v[1]); }));
      check_parity("scale", two_matrices(width, [](Graph&, const auto& v) { return add(scale(v[0], 0.37), v[1]); }));
      check_parity("scale_by", two_matrices(width, [](Graph& g, const auto& v) { return add(scale_by(v[0], constant(g, -1.75)), v[1]); }));
    }
  }

  TEST_CASE("cuda: a dot of many elements") {
    const std::int32_t rows = 2100;
    const GradientCase test{{{"r", Segments(std::array{rows})}},
                            {{"a", random_tensor({rows, 300}, 1), "r"}, {"b", random_tensor({rows, 300}, 2), "r"}},
                            [](Graph&, const auto& v) { return dot(v[0], v[1]); }};
    check_parity("dot", test);
  }

  TEST_CASE("cuda: activations and their gradients") {
    for (const auto kind : kActivationKinds) {
      for (const auto width : kWidths) {
        const std::string name(name_of(kind));
        check_parity(name, two_matrices(width, [kind](Graph&, const auto& v) { return add(activation(scale(v[0], 4), kind), v[1]); }));
        check_parity("gated " + name, two_matrices(width, [kind](Graph&, const auto& v) { return gated(scale(v[0], 4), v[1], kind); }));
      }
    }
  }

  TEST_CASE("cuda: dropout has the masks of the CPU") {
    for (const std::int64_t width : {256, 63, 5, 1}) {
      GradientCase test = two_matrices(width, [](Graph&, const auto& v) { return dropout(v[0], v[1], 0.3, 5); });
      test.operands[1] = {"key", indices({12345, -678})};
      // an element that only one of both drops is an error of its own size
      check_parity("dropout", test, {.f32 = 1e-6, .bf16 = 5e-3});
    }
  }
}

}  // namespace elementwise_parity_test
