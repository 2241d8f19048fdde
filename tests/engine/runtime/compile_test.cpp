#include "engine/runtime/compile.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/runtime/session.h"
#include "tests/support/graphs.h"

namespace compile_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::vector<std::string> pass_names(const Program& program) {
  std::vector<std::string> names;
  for (const auto& report : program.passes()) names.push_back(report.pass);
  return names;
}

using Names = std::vector<std::string>;

/// The loss of some rows of a stack over trainable rows.
Graph model(bool trainable = true) {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 32, 4);
  const Value index = graph.subset("labelled", rows, 8);
  const RowSpaceId labelled = index.type().rows;
  const Tensor values = random_tensor({32, 8}, 3).to(Dtype::f32);
  const Value x = trainable ? graph.trainable("x", values, rows) : graph.frozen("x", values, rows);
  const Value y = Stack{.width = 8, .layers = 3}.build(graph, x);
  const Value read = gather_rows(y, index);
  const Value logits = linear(read, graph.frozen("head", random_tensor({50, 8}, 4).to(Dtype::f32)));
  const Value labels = graph.input("labels", {Dtype::i32, labelled, {}});
  graph.output("loss", cross_entropy(logits, labels, graph.input("weight", {Dtype::f32, kNoRows, {}})));
  return graph;
}

/// An op that no backend knows.
class Unknown final : public Op {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "unheard_of"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override { return {operands[0]}; }
};

}  // namespace

TEST_CASE("compile: runs the passes in their order and reports each") {
  const auto trained = compile(model(), {.loss = "loss"});
  CHECK(pass_names(*trained) == Names{"model", "prune_rows", "absorb_projections", "fuse_forward", "differentiate", "prune_rows",
                                      "rematerialise", "fuse_sums", "fuse_feed_forward", "schedule"});
  CHECK(pass_names(*compile(model(), {})) ==
        Names{"model", "prune_rows", "absorb_projections", "fuse_forward", "fuse_sums", "fuse_feed_forward", "schedule"});
  CHECK(pass_names(*compile(model(), {.loss = "loss", .fuse = false})) ==
        Names{"model", "prune_rows", "differentiate", "prune_rows", "rematerialise", "schedule"});
  CHECK(pass_names(*compile(model(), {.loss = "loss", .fuse = false, .prune = false})) ==
        Names{"model", "differentiate", "rematerialise", "schedule"});
  for (const auto& report : trained->passes()) {
    CHECK(report.nodes > 0);
    CHECK(report.flops > 0);
    CHECK(report.live_bytes > 0);
  }
  // rows that no loss reads are not computed
  CHECK(trained->passes()[1].flops < trained->passes()[0].flops);
  CHECK(trained->passes().back().live_bytes == trained->lower_bound_bytes());
}

TEST_CASE("compile: without a loss there is no gradient and no backward pass") {
  const auto program = compile(model(), {});
  CHECK(program->graph().outputs().size() == 1);
  CHECK(program->flops(Phase::backward) == 0);
  CHECK(program->flops(Phase::forward) == doctest::Approx(program->flops()));
}

TEST_CASE("compile: with a loss every trainable leaf has its gradient as a result") {
  const auto program = compile(model(), {.loss = "loss"});
  CHECK(program->graph().outputs().size() == 2);
  CHECK(program->graph().output("grad.x").type().width() == 8);
  CHECK_THROWS_WITH_AS(compile(model(false), {.loss = "loss"}), "differentiate: 'loss' depends on no trainable leaf", ConfigError);
}

TEST_CASE("compile: an op without a kernel is an error when the program is made, not when it runs") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 1), {3}});
  graph.output("y", graph.add(std::make_shared<Unknown>(), {x}));
  const std::string message = fmt::format("unheard_of: the backend '{}' has no kernel for F32", default_backend().name());
  CHECK_THROWS_WITH_AS((void)compile(std::move(graph)), message.c_str(), UnsupportedError);
}

TEST_CASE("compile: the same graph gives the same program") {
  const auto one = compile(model(), {.loss = "loss", .memory = Budget::smallest()});
  const auto two = compile(model(), {.loss = "loss", .memory = Budget::smallest()});
  CHECK(ops_of(one->graph()) == ops_of(two->graph()));
  CHECK(one->plan().offsets == two->plan().offsets);
}

}  // namespace compile_test
