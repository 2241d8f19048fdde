#include "engine/compile/rematerialise.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/compile/differentiate.h"
#include "engine/compile/rewrite.h"
#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/norm.h"
#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace rematerialise_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kRows = 24;

/// Σ y² of a stack over trainable rows.
Graph stack_loss(std::int64_t layers = 6) {
  Graph graph(Dtype::f64);
  const RowSpaceId rows = graph.rows("rows", kRows, 2);
  const Value x = graph.trainable("x", random_tensor({kRows, 8}, 3), rows);
  const Value y = Stack{.width = 8, .layers = layers, .kind = ActivationKind::gelu}.build(graph, x);
  graph.output("loss", dot(y, y));
  return graph;
}

std::shared_ptr<const Program> compiled(Budget budget) { return compile(stack_loss(), {.loss = "loss", .memory = budget}); }

std::vector<double> gradient_of(const std::shared_ptr<const Program>& program) {
  Session session(program);
  session.run();
  return numbers(session.result_tensor("grad.x"));
}

}  // namespace

TEST_CASE("budget: texts name budgets") {
  CHECK(Budget::parse("auto").kind == Budget::Kind::automatic);
  CHECK(Budget::parse("none").kind == Budget::Kind::none);
  CHECK(Budget::parse("min").kind == Budget::Kind::smallest);
  CHECK(Budget::parse("800000000").kind == Budget::Kind::bytes);
  CHECK(Budget::parse("800000000").limit == 800000000);
  CHECK(Budget::parse("3K").limit == 3 << 10);
  CHECK(Budget::parse("512M").limit == 512LL << 20);
  CHECK(Budget::parse("2G").limit == 2LL << 30);
}

TEST_CASE("budget: other texts are answered with what is wanted") {
  for (const auto* text : {"", "M", "-1", "0", "1.5G", "2g", "2GB", "12 M", "minimum", "99999999999999999999", "9000000000000000000G"}) {
    CAPTURE(text);
    const std::string expected =
        std::string("memory budget: '") + text + "' was given; wanted auto, none, min, or bytes such as 800000000, 512M, 2G";
    CHECK_THROWS_WITH_AS((void)Budget::parse(text), expected.c_str(), ConfigError);
  }
}

TEST_CASE("rematerialise: a long chain of values that are each read twice takes no time") {
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 8, 2);
  Value x = graph.trainable("x", random_tensor({8, 8}, 3).to(Dtype::f32), rows);
  // as many paths from the end to the leaf as there are numbers of 80 bits
  for (int i = 0; i < 80; ++i) x = scale(add(x, x), 0.5);
  const Value y = Stack{.width = 8, .layers = 3}.build(graph, x);
  graph.output("loss", dot(y, y));
  const auto program = compile(std::move(graph), {.loss = "loss", .memory = Budget::smallest()});
  CHECK(program->flops(Phase::recompute) > 0);
}

TEST_CASE("rematerialise: with more memory than needed only cheap ops are computed again") {
  const auto program = compiled(Budget::bytes(std::int64_t{1} << 40));
  CHECK(program->flops(Phase::backward) > 0);
  for (const auto& node : program->graph().nodes()) {
    if (node.op && node.phase == Phase::recompute) CHECK(node.op->cheap());
  }
}

TEST_CASE("rematerialise: 'none' computes nothing again") {
  const auto program = compiled(Budget::none());
  CHECK(count_phase(program->graph(), Phase::recompute) == 0);
  CHECK(program->flops(Phase::recompute) == 0);
}

TEST_CASE("rematerialise: 'auto' spends a few percent more operations at most") {
  const auto cheapest = compiled(Budget::bytes(std::int64_t{1} << 40));
  const auto plain = compiled(Budget::automatic());
  CHECK(plain->flops() <= 1.05 * cheapest->flops());
  CHECK(plain->lower_bound_bytes() <= cheapest->lower_bound_bytes());
  check_close(gradient_of(plain), gradient_of(cheapest), 1e-12);
}

TEST_CASE("rematerialise: the smallest budget lowers the peak, costs operations, and changes no gradient") {
  const auto plain = compiled(Budget::none());
  const auto small = compiled(Budget::smallest());
  CHECK(static_cast<double>(small->lower_bound_bytes()) < 0.6 * static_cast<double>(plain->lower_bound_bytes()));
  CHECK(small->flops() > plain->flops());
  CHECK(small->flops() < 1.6 * plain->flops());
  // sums that die earlier are added by the product that precedes them, which does not count the addition
  CHECK(small->flops(Phase::forward) == doctest::Approx(plain->flops(Phase::forward)).epsilon(0.01));
  CHECK(count_phase(small->graph(), Phase::recompute) > 0);
  check_close(gradient_of(small), gradient_of(plain), 1e-12);
}

TEST_CASE("rematerialise: every budget between the two is kept, at a price that falls as the budget grows") {
  const auto plain = compiled(Budget::bytes(std::int64_t{1} << 40));
  const auto small = compiled(Budget::smallest());
  const auto expected = gradient_of(plain);
  double dearest = small->flops() * 1.0001;
  for (int step = 0; step <= 4; ++step) {
    const std::int64_t limit = small->arena_bytes() + (plain->arena_bytes() - small->arena_bytes()) * step / 4;
    CAPTURE(limit);
    const auto program = compiled(Budget::bytes(limit));
    CHECK(program->arena_bytes() <= limit);
    CHECK(program->flops() <= dearest);
    dearest = program->flops();
    check_close(gradient_of(program), expected, 1e-12);
  }
  CHECK(dearest == doctest::Approx(plain->flops()));
}

TEST_CASE("rematerialise: an impossible budget is answered with the smallest possible one") {
  const std::int64_t smallest = compiled(Budget::smallest())->arena_bytes();
  const std::string expected =
      fmt::format("memory budget: 1000 bytes were given; the smallest peak for this program and these capacities is {} bytes", smallest);
  CHECK_THROWS_WITH_AS(compiled(Budget::bytes(1000)), expected.c_str(), ConfigError);
  CHECK(compiled(Budget::bytes(smallest))->arena_bytes() <= smallest);
}

TEST_CASE("rematerialise: recomputed nodes keep their scope and read kept values, leaves or each other") {
  Graph graph = stack_loss(3);
  differentiate(graph, "loss");
  const Graph changed = rematerialise(eliminate_dead(graph), Budget::smallest(), cpu_backend());
  for (const auto& node : changed.nodes()) {
    if (!node.op || node.phase == Phase::forward) continue;
    if (node.phase == Phase::recompute && node.op->name() != "dot") CHECK(node.scope.starts_with("block."));
    for (const auto& input : node.inputs) {
      if (!input || node.phase != Phase::recompute) continue;
      CHECK(changed.node(input).phase != Phase::backward);
    }
  }
}

TEST_CASE("rematerialise: a program without anything to keep is left alone") {
  Graph graph;
  const Value p = graph.trainable("p", Tensor(Dtype::f32, {5}));
  graph.output("loss", dot(p, p));
  differentiate(graph, "loss");
  const auto before = ops_of(eliminate_dead(graph));
  CHECK(ops_of(rematerialise(eliminate_dead(graph), Budget::smallest(), cpu_backend())) == before);
}

}  // namespace rematerialise_test
