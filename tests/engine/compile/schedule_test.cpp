#include "engine/compile/schedule.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/compile/liveness.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "tests/support/graphs.h"

namespace compile_schedule_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Ops = std::vector<std::string>;

struct Small {
  Small() : rows(graph.rows("r", 8, 1)), x(graph.input("x", {Dtype::f32, rows, {16}})) {}

  [[nodiscard]] Value weight(std::string_view name, std::int64_t out, std::int64_t in) {
    return graph.frozen(name, Tensor(Dtype::f32, {out, in}));
  }

  Graph graph;
  RowSpaceId rows;
  Value x;
};

}  // namespace

TEST_CASE("schedule: nodes keep the order in which they were made") {
  Small s;
  const Value a = linear(s.x, s.weight("a", 16, 16));
  const Value b = scale(a, 2);
  const Value c = linear(b, s.weight("c", 16, 16));
  s.graph.output("y", multiply(c, b));
  const Graph ordered = schedule(s.graph);
  CHECK(ops_of(ordered) == ops_of(s.graph));
  CHECK(ordered.output("y").type() == s.graph.output("y").type());
}

TEST_CASE("schedule: a result that is larger than what it frees waits for its first reader") {
  Small s;
  const Value kept = linear(s.x, s.weight("wide", 256, 16));  // x is read again: nothing is freed
  const Value a = linear(s.x, s.weight("a", 128, 16));
  const Value b = scale(linear(a, s.weight("b", 16, 128)), 2);
  s.graph.output("y", linear_add(kept, s.weight("narrow", 16, 256), {}, b, WeightLayout::out_in));
  const Graph ordered = schedule(s.graph);
  CHECK(ops_of(ordered) == Ops{"linear", "linear", "scale", "linear", "linear"});
  CHECK(analyse_liveness(ordered, cpu_backend()).lower_bound < analyse_liveness(s.graph, cpu_backend()).lower_bound);
}

TEST_CASE("schedule: chains sink together, and inputs stay before users") {
  Small s;
  const Value one = scale(s.x, 2);
  const Value two = linear(one, s.weight("two", 128, 16));
  const Value three = linear(s.x, s.weight("three", 16, 16));
  const Value four = linear(three, s.weight("four", 128, 16));
  s.graph.output("y", multiply(four, two));
  const Graph ordered = schedule(s.graph);
  for (std::int32_t n = 0; n < ordered.size(); ++n) {
    for (const auto& input : ordered.node(n).inputs) CHECK(input.node < n);
  }
  // the wide product over x is made right before the one that reads it
  CHECK(ops_of(ordered).back() == "multiply");
}

TEST_CASE("schedule: a cheap backward node over forward values moves into the forward pass if it keeps less") {
  Small s;
  const RowSpaceId few = s.graph.rows("few", 2, 1);
  const Value index = s.graph.input("index", {Dtype::i32, few, {}});
  const Value h = linear(s.x, s.weight("a", 16, 16));
  const Value y = linear(h, s.weight("b", 16, 16));
  s.graph.output("y", y);
  s.graph.set_phase(Phase::backward);
  s.graph.output("picked", gather_rows(h, index));
  const Graph ordered = schedule(s.graph);
  CHECK(ops_of(ordered) == Ops{"linear", "gather_rows", "linear"});
  CHECK(analyse_liveness(ordered, cpu_backend()).lower_bound <= analyse_liveness(s.graph, cpu_backend()).lower_bound);
}

TEST_CASE("schedule: a cheap backward node that would keep more stays where it is") {
  Small s;
  const Value h = linear(s.x, s.weight("a", 16, 16));
  const Value y = linear(h, s.weight("b", 16, 16));
  s.graph.output("y", y);
  s.graph.set_phase(Phase::backward);
  s.graph.output("same", scale(h, 3));
  CHECK(ops_of(schedule(s.graph)) == Ops{"linear", "linear", "scale"});
}

}  // namespace compile_schedule_test
