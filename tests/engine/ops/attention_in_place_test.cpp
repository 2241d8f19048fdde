// Gradients of attention in the memory of what they are gradients of.
#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/parallel.h"
#include "engine/ops/attention.h"
#include "engine/backend/cpu/attention_scratch.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/runtime/session.h"
#include "tests/support/gradient_check.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace attention_in_place_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kHeads = 4, kDim = 2, kWidth = kHeads * kDim;
/// The first segment has two blocks of queries.
constexpr std::array<std::int32_t, 3> kLengths = {AttentionScratch::kBlockRows + 9, 3, 0};

/// Do an output and an operand of the program's only node of the op share memory?
bool in_place(const Program& program, std::string_view op, std::size_t output, std::size_t operand) {
  const Graph& graph = program.graph();
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (!node.op || node.op->name() != op) continue;
    const Value value = node.inputs.at(operand);
    const auto& buffers = program.liveness().buffer_of;
    return buffers[static_cast<std::size_t>(n)].at(output) ==
           buffers[static_cast<std::size_t>(value.node)].at(static_cast<std::size_t>(value.output));
  }
  return false;
}

/// Attention over linear maps of x, and the gradient of x through all of them.
struct Run {
  explicit Run(int threads, std::int64_t kv_heads = kHeads, bool two_heads_a_key = false, bool causal = false) {
    set_threads(threads);
    Graph graph;
    const Segments segments(kLengths);
    const RowSpaceId rows = graph.rows("rows", segments.rows(), segments.count());
    const Value x = graph.trainable("x", random_tensor({segments.rows(), kWidth}, 1).to(Dtype::f32), rows);
    AttentionOptions options;
    options.kv_heads = static_cast<int>(kv_heads);
    options.heads = two_heads_a_key ? 2 * options.kv_heads : options.kv_heads;
    options.causal = causal;
    const std::int64_t inner = options.heads * kDim;
    const auto made = [&](const char* name, std::int64_t width, std::uint64_t seed) {
      return linear(x, graph.frozen(name, random_tensor({width, kWidth}, seed).to(Dtype::f32)));
    };
    const std::int64_t kv_width = kv_heads * kDim;
    const Value o = attention({.q = made("q", inner, 2), .k = made("k", kv_width, 3), .v = made("v", kv_width, 4)}, options);
    const Value y = linear(o, graph.frozen("o", random_tensor({kWidth, inner}, 5).to(Dtype::f32)));
    graph.output("loss", dot(y, y));
    program = compile(std::move(graph), {.loss = "loss", .memory = Budget::none()});
    Session session(program);
    session.rows("rows", segments);
    session.run();
    gradient = session.result_tensor("grad.x");
    set_threads(0);
  }

  [[nodiscard]] bool in_place(std::size_t output, std::size_t operand) const {
    return attention_in_place_test::in_place(*program, "attention_grad", output, operand);
  }

  std::shared_ptr<const Program> program;
  Tensor gradient;
};

}  // namespace

TEST_CASE("attention: gradients of queries, keys and values take the place of what dies there") {
  const Run run(1);
  CHECK(run.in_place(Attention::kQuery, AttentionGrad::kOutputGradient));
  CHECK(run.in_place(Attention::kKey, Attention::kKey));
  CHECK(run.in_place(Attention::kValue, Attention::kValue));
}

TEST_CASE("attention: the output takes the place of queries that nobody reads again") {
  const auto operand = [](const char* name, std::uint64_t seed) { return Operand{name, random_tensor({105, kWidth}, seed), "rows"}; };
  GradientCase test{{{"rows", Segments(std::array{105})}}, {operand("q", 1), operand("k", 2), operand("v", 3)}, {}};
  AttentionOptions options;
  options.heads = options.kv_heads = kHeads;
  test.build = [options](Graph&, const auto& x) { return attention({.q = scale(x[0], 2), .k = x[1], .v = x[2]}, options); };
  GradientCase apart = test;
  apart.build = [options](Graph& graph, const auto& x) {
    const Value q = scale(x[0], 2);
    graph.output("q", q);
    return attention({.q = q, .k = x[1], .v = x[2]}, options);
  };
  CHECK(numbers(evaluate(test)) == numbers(evaluate(apart)));
  Graph graph;
  const RowSpaceId rows = graph.rows("rows", 3, 1);
  const Value x = graph.input("x", {Dtype::f32, rows, {kWidth}});
  graph.output("o", attention({.q = scale(x, 2), .k = x, .v = x}, options));
  CHECK(in_place(*compile(std::move(graph), {}), "attention", Attention::kOutput, Attention::kQuery));
}

TEST_CASE("attention: where heads of keys are few, their sums are not made in place; any number of threads makes the same") {
  for (const std::int64_t kv_heads : {kHeads, kHeads - 1}) {
    for (const bool grouped : {false, true}) {
      for (const bool causal : {false, true}) {
        const Run one(1, kv_heads, grouped, causal), two(2, kv_heads, grouped, causal), many(5, kv_heads, grouped, causal);
        for (const Run* run : {&one, &two, &many}) {
          CHECK(run->in_place(Attention::kKey, Attention::kKey) == (kv_heads == kHeads));
          CHECK(run->in_place(Attention::kValue, Attention::kValue) == (kv_heads == kHeads));
          CHECK(std::memcmp(one.gradient.data(), run->gradient.data(), one.gradient.bytes()) == 0);
        }
      }
    }
  }
}

TEST_CASE("attention: gradients in place are those by central differences") {
  const auto operand = [](const char* name, std::uint64_t seed) { return Operand{name, random_tensor({12, kWidth}, seed), "rows"}; };
  GradientCase test{{{"rows", Segments(std::array{7, 5})}}, {operand("q", 1), operand("k", 2), operand("v", 3)}, {}};
  test.build = [](Graph&, const auto& x) {
    AttentionOptions options;
    options.heads = options.kv_heads = kHeads;
    options.causal = true;
    return scale(attention({.q = scale(x[0], 2), .k = scale(x[1], 1.5), .v = scale(x[2], -1)}, options), 0.5);
  };
  set_threads(1);
  check_gradients(test);
  set_threads(0);
}

}  // namespace attention_in_place_test
