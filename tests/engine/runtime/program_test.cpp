#include "engine/runtime/program.h"

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/append_rows.h"
#include "engine/ops/attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/graphs.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

namespace runtime_program_test {

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
  std::vector<std::vector<Location>> placed(program->graph().nodes().size());
  for (const auto& step : program->steps()) {
    placed[static_cast<std::size_t>(step.node)] = step.out;
    for (const auto& location : step.in) {
      if (location.node < 0 || !program->graph().node(location.node).op) continue;
      const auto& made = placed.at(static_cast<std::size_t>(location.node)).at(static_cast<std::size_t>(location.output));
      CHECK(made.offset == location.offset);
      CHECK(made.offset >= 0);
    }
  }
}

namespace {

/// A training step with attention of all kinds: many heads and few, dropout, a trained prefix.
std::shared_ptr<const Program> attending_program(Budget budget) {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 96, 4);
  const RowSpaceId prefix = graph.rows("prefix", 5, 1);
  const auto floats = [](Dims dims, std::uint64_t seed) { return random_tensor(std::move(dims), seed).to(Dtype::f32); };
  const Value key = graph.input("key", {Dtype::i32, kNoRows, {2}});
  Value x = graph.trainable("x", floats({96, 16}, 1), rows);
  std::uint64_t seed = 2;
  for (const int heads : {8, 2}) {
    const auto projected = [&] {
      const std::uint64_t own = seed++;
      return linear(x, graph.frozen("w" + std::to_string(own), floats({16, 16}, own)));
    };
    AttentionOptions options;
    options.heads = options.kv_heads = heads;
    options.dropout = {0.25, static_cast<std::uint32_t>(heads)};
    AttentionOperands operands{.q = projected(), .k = projected(), .v = projected()};
    if (heads == 8) {
      operands.prefix_k = graph.trainable("prefix_k", floats({5, 16}, 20), prefix);
      operands.prefix_v = graph.trainable("prefix_v", floats({5, 16}, 21), prefix);
    }
    operands.dropout_key = key;
    x = add(x, attention(operands, options));
  }
  graph.output("loss", dot(x, x));
  return compile(std::move(graph), {.loss = "loss", .memory = budget});
}

/// Everything that a program is, as text.
std::string written(const Program& program) {
  std::string text = fmt::format("arena {}\n", program.arena_bytes());
  for (const auto& step : program.steps()) {
    text += fmt::format("{} scratch {}+{}", program.graph().node(step.node).op->name(), step.workspace, step.workspace_bytes);
    for (const auto* locations : {&step.in, &step.out}) {
      for (const auto& location : *locations) text += fmt::format(" {}/{}:{}", location.node, location.output, location.offset);
    }
    text += '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("program: nodes, offsets and results do not depend on the number of threads") {
  for (const auto budget : {Budget::none(), Budget::automatic(), Budget::smallest()}) {
    std::string text;
    std::vector<double> gradients;
    for (const int threads : {1, 2, 8, 64}) {
      CAPTURE(threads);
      const Threads limit(threads);
      const auto program = attending_program(budget);
      Session session(program);
      session.rows("rows", Segments(std::array{40, 3, 50}));
      session.set<std::int32_t>("key", std::array{5, 6});
      session.run();
      std::vector<double> all;
      for (const auto* name : {"grad.x", "grad.prefix_k", "grad.prefix_v"}) {
        const auto values = numbers(session.result_tensor(name));
        all.insert(all.end(), values.begin(), values.end());
      }
      if (threads == 1) {
        text = written(*program);
        gradients = all;
      }
      CHECK(written(*program) == text);
      CHECK(all == gradients);
    }
  }
}

TEST_CASE("program: the scratch memory of a step is apart from all that lives then") {
  const auto program = attending_program(Budget::none());
  const auto& buffers = program->liveness().buffers;
  int with_scratch = 0;
  for (const auto& step : program->steps()) {
    const std::int32_t own = program->liveness().workspace_of[static_cast<std::size_t>(step.node)];
    CHECK((step.workspace >= 0) == (own >= 0));
    if (own < 0) continue;
    ++with_scratch;
    CHECK(step.workspace_bytes >= buffers[static_cast<std::size_t>(own)].bytes);
    CHECK(step.workspace + step.workspace_bytes <= program->arena_bytes());
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      if (i == static_cast<std::size_t>(own) || buffers[i].first > step.node || buffers[i].last < step.node) continue;
      const std::int64_t offset = program->plan().offsets[i];
      CHECK((offset + buffers[i].bytes <= step.workspace || step.workspace + step.workspace_bytes <= offset));
    }
  }
  CHECK(with_scratch >= 4);
}

TEST_CASE("program: operations are the sum over the phases") {
  const auto program = training_program(Budget::smallest());
  CHECK(program->flops() ==
        doctest::Approx(program->flops(Phase::forward) + program->flops(Phase::backward) + program->flops(Phase::recompute)));
  CHECK(program->flops(Phase::recompute) > 0);
  CHECK(&program->backend() == &default_backend());
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
  const Location result = program->result("cache");
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

}  // namespace runtime_program_test
