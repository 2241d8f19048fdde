#include "engine/compile/absorb.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/ops/attention.h"
#include "engine/ops/linear.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace absorb_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr int kHeads = 2;

/// Queries [rows(q), 6] attend to projections of rows e [rows(k), 5]; three targets, the last two of one source.
GradientCase cross_attention(std::array<std::int32_t, 3> queries, bool trained_weights = false) {
  const std::int32_t rows = queries[0] + queries[1] + queries[2];
  return {{{"q", Segments(queries)}, {"k", Segments(std::array{20, 17})}},
          {{"q", random_tensor({rows, 6}, 1), "q"},
           {"e", random_tensor({37, 5}, 2), "k"},
           {"wk", random_tensor({6, 5}, 3), "", trained_weights},
           {"wv", random_tensor({6, 5}, 4), "", trained_weights},
           {"source", indices({0, 1, 1, 0})}},
          [](Graph&, const std::vector<Value>& v) {
            AttentionOptions options;
            options.heads = options.kv_heads = kHeads;
            options.scale = 0.7;
            return attention({.q = v[0], .k = linear(v[1], v[2]), .v = linear(v[1], v[3]), .kv_segment = v[4]}, options);
          }};
}

Graph built(const GradientCase& test) {
  Graph graph(Dtype::f64);
  for (const auto& [name, segments] : test.spaces) graph.rows(name, segments.rows(), segments.count() + 1);
  std::vector<Value> values;
  for (const auto& operand : test.operands) {
    if (operand.values.dtype() == Dtype::i32) {
      values.push_back(graph.input(operand.name, {Dtype::i32, kNoRows, {4}}));
    } else {
      const RowSpaceId rows = operand.space.empty() ? kNoRows : graph.rows(operand.space);
      values.push_back(operand.differentiable ? graph.trainable(operand.name, operand.values.clone(), rows)
                                              : graph.frozen(operand.name, operand.values, rows));
    }
  }
  graph.output("y", test.build(graph, values));
  return graph;
}

using Ops = std::vector<std::string>;

}  // namespace

TEST_CASE("absorb_projections: few queries attend to the rows themselves") {
  CHECK(ops_of(absorb_projections(built(cross_attention({1, 1, 1})))) == Ops{"head_linear", "attention", "head_linear"});
}

TEST_CASE("absorb_projections: many queries, and trained weights, keep their projections") {
  const Ops plain = {"linear", "linear", "attention"};
  CHECK(ops_of(absorb_projections(built(cross_attention({30, 30, 30})))) == plain);
  CHECK(ops_of(absorb_projections(built(cross_attention({1, 1, 1}, true)))) == plain);
}

TEST_CASE("absorb_projections: results and gradients are those of the projections") {
  const GradientCase test = cross_attention({1, 2, 0});
  check_close(evaluate(test, Dtype::f64, true), numbers(evaluate(test, Dtype::f64, false)), 1e-13);
  check_close(evaluate(test, Dtype::f32, true), numbers(evaluate(test, Dtype::f64, false)), 2e-6);
  check_gradients(test);
}

TEST_CASE("absorb_projections: keys and values that are one value get one gradient") {
  GradientCase test = cross_attention({2, 1, 3});
  test.operands[0].values = random_tensor({6, 10}, 5);
  test.build = [](Graph&, const std::vector<Value>& v) {
    AttentionOptions options;
    options.heads = kHeads;
    options.kv_heads = 1;
    return attention({.q = v[0], .k = v[1], .v = v[1], .kv_segment = v[4]}, options);
  };
  check_gradients(test);
}

}  // namespace absorb_test
