#include "engine/runtime/program.h"

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/append_rows.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/runtime/compile.h"
#include "tests/support/graphs.h"

using namespace preamble;
using namespace preamble::testing;

namespace {

std::shared_ptr<const Program> training_program(Budget budget) {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 64, 4);
  const Value x = graph.trainable("x", random_tensor({64, 16}, 3).to(Dtype::f32), rows);
  const Value y = Stack{.width = 16, .layers = 4}.build(graph, x);
  graph.output("loss", dot(y, y));
  return compile(std::move(graph), {.loss = "loss", .memory = budget});
}

}  // namespace

TEST_CASE("program: the plan is valid and within 5 % of the lower bound") {
  for (const auto budget : {Budget::none(), Budget::smallest()}) {
    const auto program = training_program(budget);
    CHECK(is_valid(program->plan(), program->liveness().buffers));
    CHECK(program->arena_bytes() >= program->lower_bound_bytes());
    CHECK(static_cast<double>(program->arena_bytes()) <= 1.05 * static_cast<double>(program->lower_bound_bytes()));
  }
}

TEST_CASE("program: every operand of a step lies where its producer left it") {
  const auto program = training_program(Budget::smallest());
  std::vector<std::vector<Slot>> placed(program->graph().nodes().size());
  for (const auto& step : program->steps()) {
    placed[static_cast<std::size_t>(step.node)] = step.out;
    for (const auto& slot : step.in) {
      if (slot.node < 0 || !program->graph().node(slot.node).op) continue;
      const auto& made = placed.at(static_cast<std::size_t>(slot.node)).at(static_cast<std::size_t>(slot.output));
      CHECK(made.offset == slot.offset);
      CHECK(made.offset >= 0);
    }
  }
}

TEST_CASE("program: operations are the sum over the phases") {
  const auto program = training_program(Budget::smallest());
  CHECK(program->flops() ==
        doctest::Approx(program->flops(Phase::forward) + program->flops(Phase::backward) + program->flops(Phase::recompute)));
  CHECK(program->flops(Phase::recompute) > 0);
  CHECK(program->backend().name() == "cpu");
}

TEST_CASE("program: leaf memory is counted by role, and tied leaves once") {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 4, 1);
  const Tensor shared(Dtype::bf16, {8, 8});
  const Value x = graph.input("x", {Dtype::f32, rows, {8}});
  const Value y = linear(linear(x, graph.frozen("a", shared)), graph.frozen("b", shared));
  const Value z = add(y, linear(y, graph.trainable("t", Tensor(Dtype::f32, {8, 8}))));
  const Value index = graph.input("index", {Dtype::i32, rows, {}});
  graph.output("cache", append_rows(graph.state("cache", Tensor(Dtype::f32, {10, 8})), z, index));
  const auto program = compile(std::move(graph));
  CHECK(program->leaf_bytes(Role::frozen) == 128);
  CHECK(program->leaf_bytes(Role::trainable) == 256);
  CHECK(program->leaf_bytes(Role::state) == 320);
  // the updated cache is the leaf's own memory
  const Slot result = program->result("cache");
  CHECK(result.offset == -1);
  CHECK(program->graph().node(result.leaf).name == "cache");
}

TEST_CASE("program: names that it does not have are errors") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 1), {8}});
  graph.output("y", scale(x, 2));
  const auto program = compile(std::move(graph));
  CHECK(program->has_input("x"));
  CHECK(!program->has_input("y"));
  CHECK(program->input("x").offset >= 0);
  CHECK_THROWS_WITH_AS((void)program->input("z"), "input 'z': the program has none of that name", ConfigError);
  CHECK_THROWS_WITH_AS((void)program->result("x"), "output 'x': the graph has none of that name", ConfigError);
}
