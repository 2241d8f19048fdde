#include <array>
#include <utility>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/norm.h"
#include "tests/support/device_parity.h"

namespace norm_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Operands x, residual, scale, bias.
GradientCase normalised(std::int32_t rows, std::int64_t width, std::function<Value(Graph&, const std::vector<Value>&)> build) {
  return {{{"r", Segments(std::array{rows})}},
          {{"x", random_tensor({rows, width}, 1), "r"},
           {"residual", random_tensor({rows, width}, 2), "r"},
           {"scale", random_tensor({width}, 3)},
           {"bias", random_tensor({width}, 4)}},
          std::move(build)};
}

constexpr double kEpsilonOfNorms = 1e-5;

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: norms of rows, with and without a residual") {
    for (const std::int64_t width : {768, 20, 7, 9000, 20000}) {
      const std::int32_t rows = width > 1000 ? 3 : 70;
      const auto plain = [&](auto op) {
        return normalised(rows, width, [op](Graph&, const auto& v) { return add(op(v), add(v[1], v[1])); });
      };
      const auto both = [](const NormAndSum& of) { return add(of.y, scale(of.sum, 0.5)); };
      check_parity("rms", plain([](const auto& v) { return rms_norm(v[0], v[2], kEpsilonOfNorms); }));
      check_parity("layer", plain([](const auto& v) { return layer_norm(v[0], v[2], v[3], kEpsilonOfNorms); }));
      check_parity("layer, no parameters", plain([](const auto& v) { return layer_norm(v[0], {}, {}, kEpsilonOfNorms); }));
      check_parity("rms of a sum", normalised(rows, width, [both](Graph&, const auto& v) {
                     return both(add_rms_norm(v[0], v[1], v[2], kEpsilonOfNorms));
                   }));
      check_parity("layer of a sum, sum read", normalised(rows, width, [both](Graph&, const auto& v) {
                     return both(add_layer_norm(v[0], v[1], v[2], v[3], kEpsilonOfNorms));
                   }));
      check_parity("layer of a sum, sum not read", normalised(rows, width, [](Graph&, const auto& v) {
                     return add_layer_norm(v[0], v[1], v[2], v[3], kEpsilonOfNorms).y;
                   }));
    }
  }

  TEST_CASE("cuda: more rows than there are blocks at a time") {
    for (const std::int64_t width : {1024, 1608, 1028}) {
      const auto frozen = [&](std::function<Value(Graph&, const std::vector<Value>&)> build) {
        GradientCase test = normalised(1700, width, std::move(build));
        test.operands[2].differentiable = test.operands[3].differentiable = false;
        return test;
      };
      check_parity("rms", frozen([](Graph&, const auto& v) { return add(v[1], rms_norm(v[0], v[2], kEpsilonOfNorms)); }));
      check_parity("layer of a sum", frozen([](Graph&, const auto& v) {
                     const NormAndSum of = add_layer_norm(v[0], v[1], v[2], v[3], kEpsilonOfNorms);
                     return add(of.y, scale(of.sum, 0.5));
                   }));
    }
  }

  TEST_CASE("cuda: norms of blocks of columns") {
    for (const std::int64_t width : {64, 5}) {
      GradientCase test = normalised(70, 3 * width, [](Graph&, const auto& v) { return rms_norm_of_parts(v[0], v[2], kEpsilonOfNorms, 3); });
      test.operands[2].values = random_tensor({width}, 3);
      std::erase_if(test.operands, [](const Operand& operand) { return operand.name == "bias"; });
      check_parity("rms of parts", test);
    }
  }

  TEST_CASE("cuda: a norm of no rows has gradients of zero") {
    check_parity("layer", normalised(0, 32, [](Graph&, const auto& v) { return layer_norm(v[0], v[2], v[3], kEpsilonOfNorms); }));
  }

  TEST_CASE("cuda: layer norm of rows far from zero") {
    GradientCase test = normalised(5, 512, [](Graph&, const auto& v) { return layer_norm(v[0], v[2], v[3], kEpsilonOfNorms); });
    for (auto& x : test.operands[0].values.values<double>()) x = 8 * x + 200;
    check_parity("layer", test, {.f32 = 1e-4});
  }
}

}  // namespace norm_parity_test
