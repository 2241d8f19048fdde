#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/attention.h"
#include "engine/ops/cast.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gated.h"
#include "engine/ops/head_linear.h"
#include "engine/ops/linear.h"
#include "engine/runtime/session.h"
#include "tests/support/activations.h"
#include "tests/support/device_parity.h"
#include "tests/support/values.h"

namespace linear_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct MapSizes {
  std::int32_t rows;
  std::int64_t k, n;
};

constexpr std::array kMaps = {MapSizes{130, 64, 96}, MapSizes{33, 24, 56}, MapSizes{7, 13, 9}, MapSizes{1, 8, 1}, MapSizes{0, 16, 16}};

/// Operands x, w, b, residual.
GradientCase mapped(MapSizes s, WeightLayout layout, std::function<Value(Graph&, const std::vector<Value>&)> build) {
  const Dims w = layout == WeightLayout::out_in ? Dims{s.n, s.k} : Dims{s.k, s.n};
  return {{{"r", Segments(std::array{s.rows, 0})}},
          {{"x", random_tensor({s.rows, s.k}, 1), "r"},
           {"w", random_tensor(w, 2)},
           {"b", random_tensor({s.n}, 3)},
           {"residual", random_tensor({s.rows, s.n}, 4), "r"}},
          std::move(build)};
}

const ParityOptions kOverNarrow{.narrow_parameters = true};

/// Of sums of terms in [-1, 1]. A function with a kink has the slope of the other side where rounding carries an argument over it: at a
/// share of all elements of about the rounding's size, so that the norm of the error is its root.
ParityOptions options_of(ActivationKind kind) {
  ParityOptions options{.term = 0.5, .narrow_parameters = true};
  if (kind == ActivationKind::relu) options.bf16 = std::sqrt(0x1p-8);
  return options;
}

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: affine maps with residual, for both layouts of weights") {
    for (const auto layout : {WeightLayout::out_in, WeightLayout::in_out}) {
      for (const auto& sizes : kMaps) {
        check_parity("affine",
                     mapped(sizes, layout, [layout](Graph&, const auto& v) { return linear_add(v[0], v[1], v[2], v[3], layout); }),
                     kOverNarrow);
        check_parity("no bias",
                     mapped(sizes, layout, [layout](Graph&, const auto& v) { return add(linear(v[0], v[1], {}, layout), v[3]); }),
                     kOverNarrow);
      }
    }
  }

  TEST_CASE("cuda: activations behind affine maps") {
    for (const auto kind : kActivationKinds) {
      for (const auto& sizes : kMaps) {
        for (const bool bias : {false, true}) {
          check_parity(std::string(name_of(kind)),
                       mapped(sizes, WeightLayout::out_in,
                              [kind, bias](Graph&, const auto& v) {
                                const Value y = linear_activation(v[0], v[1], bias ? v[2] : Value{}, WeightLayout::out_in, kind);
                                return add(y, add(v[3], v[3]));
                              }),
                       options_of(kind));
        }
      }
    }
  }

  TEST_CASE("cuda: products that end in the gradient of gelu_tanh") {
    for (const auto layout : {WeightLayout::out_in, WeightLayout::in_out}) {
      for (const auto& [rows, narrow, wide] : {MapSizes{130, 64, 96}, MapSizes{33, 24, 56}, MapSizes{1, 8, 16}, MapSizes{0, 16, 32}}) {
        const auto matrix = [&](std::int64_t n, std::int64_t k) { return layout == WeightLayout::out_in ? Dims{n, k} : Dims{k, n}; };
        GradientCase test{{{"r", Segments(std::array{rows, 0})}},
                          {{"x", random_tensor({rows, narrow}, 1), "r"},
                           {"up", random_tensor(matrix(wide, narrow), 2)},
                           {"b", random_tensor({wide}, 3)},
                           {"down", random_tensor(matrix(narrow, wide), 4)}},
                          [layout](Graph&, const auto& v) {
                            return linear(linear_activation(v[0], v[1], v[2], layout, ActivationKind::gelu_tanh), v[3], {}, layout);
                          }};
        for (std::size_t i = 1; i < test.operands.size(); ++i) test.operands[i].differentiable = false;
        check_parity("slope", test, kOverNarrow);
      }
    }
  }

  TEST_CASE("cuda: several maps of the same rows as one product") {
    for (const auto& [rows, k, n] : {MapSizes{130, 64, 96}, MapSizes{33, 24, 56}, MapSizes{1, 8, 16}, MapSizes{0, 16, 32}}) {
      for (const bool biases : {false, true}) {
        GradientCase test{{{"r", Segments(std::array{rows, 0})}},
                          {{"x", random_tensor({rows, k}, 1), "r"},
                           {"a", random_tensor({n, k}, 2)},
                           {"b", random_tensor({n, k}, 3)},
                           {"c", random_tensor({n}, 4)},
                           {"d", random_tensor({n}, 5)}},
                          [biases](Graph&, const auto& v) {
                            const auto bias = [&](const Value& of) { return biases ? of : Value{}; };
                            return gated(linear(v[0], v[1], bias(v[3])), linear(v[0], v[2], bias(v[4])), ActivationKind::gelu_tanh);
                          }};
        for (std::size_t i = 1; i < test.operands.size(); ++i) test.operands[i].differentiable = false;
        check_parity("gate", test, kOverNarrow);
      }
      GradientCase test{{{"r", Segments(std::array{rows, 0})}},
                        {{"x", random_tensor({rows, k}, 1), "r"},
                         {"q", random_tensor({n, k}, 2)},
                         {"k", random_tensor({n / 2, k}, 3)},
                         {"v", random_tensor({n / 2, k}, 4)}},
                        [](Graph&, const auto& v) {
                          const AttentionOptions options{.heads = 2, .kv_heads = 1, .scale = 0.01};
                          return attention({.q = linear(v[0], v[1]), .k = linear(v[0], v[2]), .v = linear(v[0], v[3])}, options);
                        }};
      for (std::size_t i = 1; i < test.operands.size(); ++i) test.operands[i].differentiable = false;
      check_parity("queries, keys, values", test, ParityOptions{.bf16 = 4e-2, .term = 0.5, .narrow_parameters = true});
    }
  }

  TEST_CASE("cuda: matrices that lie apart are multiplied one by one") {
    // the second program finds one of its matrices on the device already
    constexpr std::int64_t kRows = 70, kWide = 40, kNarrow = 24;
    const auto run = [&](bool apart) {
      const Tensor a = random_tensor({kWide, kNarrow}, 1).to(Dtype::bf16), b = random_tensor({kWide, kNarrow}, 2).to(Dtype::bf16);
      const auto session = [&](bool both) {
        Graph graph(Dtype::bf16);
        const RowSpaceId rows = graph.rows("r", kRows, 1);
        const Value x = graph.trainable("x", random_tensor({kRows, kNarrow}, 3).to(Dtype::f32), rows);
        const Value h = scale(cast(x, Dtype::bf16), 0.5);
        const Value of_b = linear(h, graph.frozen("b", b));
        const Value y = both ? gated(linear(h, graph.frozen("a", a)), of_b, ActivationKind::gelu) : of_b;
        graph.output("loss", dot(cast(y, Dtype::f32), graph.frozen("direction", random_tensor({kRows, kWide}, 4).to(Dtype::f32), rows)));
        return std::make_unique<Session>(compile(std::move(graph), {.loss = "loss", .backend = &cuda_backend(0)}));
      };
      const auto first = apart ? session(false) : nullptr;
      const auto joined = session(true);
      joined->rows("r", Segments(std::array{static_cast<std::int32_t>(kRows)}));
      joined->run();
      return numbers(joined->result_tensor("grad.x"));
    };
    check_close(run(true), run(false), 0x1p-6);
  }

  TEST_CASE("cuda: maps of heads") {
    constexpr std::int64_t kHeads = 3, kNarrow = 16, kWide = 40;
    for (const bool expand : {false, true}) {
      const std::int64_t width = kHeads * (expand ? kNarrow : kWide);
      GradientCase test{
          {{"r", Segments(std::array{29, 4})}},
          {{"x", random_tensor({33, width}, 1), "r"}, {"w", random_tensor({kHeads * kNarrow, kWide}, 2)}},
          [expand](Graph&, const auto& v) { return expand ? head_expand(v[0], v[1], kHeads) : head_reduce(v[0], v[1], kHeads); }};
      test.operands[1].differentiable = false;
      check_parity(expand ? "expand" : "reduce", test, kOverNarrow);
    }
  }
}

}  // namespace linear_parity_test
