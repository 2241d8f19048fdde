#include "engine/compile/keep_outputs.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/compile/differentiate.h"
#include "engine/compile/rewrite.h"
#include "engine/ops/attention.h"
#include "engine/ops/elementwise.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/attention_cases.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace keep_outputs_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A case in double with the gradients of the operands that `trains(name)` picks, as `differentiate` makes them.
template <class Trains>
Graph differentiated(const GradientCase& test, const Trains& trains) {
  Graph graph(Dtype::f64);
  for (const auto& [name, segments] : test.spaces) graph.rows(name, segments.rows() + test.spare_rows, segments.count() + 1);
  std::vector<Value> values;
  for (const auto& operand : test.operands) {
    const RowSpaceId rows = operand.space.empty() ? kNoRows : graph.rows(operand.space);
    Dims dims = operand.values.dims();
    if (rows != kNoRows) dims.erase(dims.begin());
    if (!is_floating(operand.values.dtype())) {
      values.push_back(graph.input(operand.name, {Dtype::i32, rows, dims}));
      continue;
    }
    Tensor whole = operand.values.clone();
    if (rows != kNoRows) {
      dims.insert(dims.begin(), graph.rows(rows).rows);
      whole = Tensor(Dtype::f64, dims);
      std::ranges::copy(std::as_const(operand.values).values<double>(), whole.values<double>().begin());
    }
    const bool trained = operand.differentiable && trains(operand.name);
    values.push_back(trained ? graph.trainable(operand.name, whole, rows) : graph.frozen(operand.name, whole, rows));
  }
  const Value value = test.build(graph, values);
  Dims dims = value.type().dims;
  dims.insert(dims.begin(), graph.capacity(value.type()));
  graph.output("loss", dot(value, graph.frozen("direction", random_tensor(dims, 4711), value.type().rows)));
  Graph needed = eliminate_dead(graph);
  differentiate(needed, "loss");
  return eliminate_dead(needed);
}

std::map<std::string, std::vector<double>> results_of(Graph graph, const GradientCase& test) {
  Session session(compile(std::move(graph), {}));
  return run_case(session, test);
}

/// Gradient nodes that read o.
std::int64_t with_output(const Graph& graph) {
  return std::ranges::count_if(graph.nodes(), [](const Node& node) {
    return dynamic_cast<const AttentionGrad*>(node.op.get()) != nullptr && node.inputs.size() > AttentionGrad::kOutput &&
           node.inputs[AttentionGrad::kOutput];
  });
}

}  // namespace

TEST_CASE("keep_attention_outputs: gradients that read o are those that make the products again") {
  std::vector<std::pair<std::string, NaiveAttention>> cases = small_attention_cases();
  cases.emplace_back("large", large_attention_case(true));
  cases.emplace_back("large with position tables", large_disentangled_case());
  std::int64_t changed = 0;
  for (auto& [name, a] : cases) {
    for (const double rate : {0.0, 0.25}) {
      CAPTURE(name);
      CAPTURE(rate);
      a.options.dropout = {.rate = rate, .stream = 7};
      const GradientCase test = graph_of(a);
      Graph plain = differentiated(test, [](const std::string&) { return true; });
      Graph kept = keep_attention_outputs(plain);
      CHECK(with_output(plain) == 0);
      // biases by position are left alone
      CHECK(with_output(kept) == (a.bias_table.defined() ? 0 : 1));
      changed += with_output(kept);
      const auto expected = results_of(std::move(plain), test);
      const auto found = results_of(std::move(kept), test);
      REQUIRE(found.size() == expected.size());
      for (const auto& [result, right] : expected) {
        CAPTURE(result);
        double largest = 0;
        double difference = 0;
        for (std::size_t i = 0; i < right.size(); ++i) {
          largest = std::max(largest, std::abs(right[i]));
          difference = std::max(difference, std::abs(right[i] - found.at(result)[i]));
        }
        CHECK(difference <= 1e-12 * largest);
      }
    }
  }
  CHECK(changed > 4);
}

TEST_CASE("keep_attention_outputs: gradients of values alone, and those that read o anyway, stay as they are") {
  NaiveAttention a = large_attention_case(true);
  a.bias_table = {};
  const GradientCase test = graph_of(a);
  const Graph values = differentiated(test, [](const std::string& name) { return name == "v"; });
  CHECK(count_ops(values, "attention_grad") == 1);
  CHECK(with_output(keep_attention_outputs(values)) == 0);
  const Graph queries = differentiated(test, [](const std::string& name) { return name == "q"; });
  CHECK(with_output(keep_attention_outputs(queries)) == 1);
  CHECK(ops_of(keep_attention_outputs(keep_attention_outputs(queries))) == ops_of(queries));
}

}  // namespace keep_outputs_test
