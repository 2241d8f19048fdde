#include "engine/compile/join_products.h"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/attention.h"
#include "engine/ops/cast.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gated.h"
#include "engine/ops/joined_linear.h"
#include "engine/ops/linear.h"
#include "engine/runtime/compile.h"
#include "tests/support/graphs.h"
#include "tests/support/plans_columns.h"
#include "tests/support/values.h"

namespace join_products_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Ops = std::vector<std::string>;

constexpr std::int64_t kWidth = 16;

struct Small {
  explicit Small(Dtype real = Dtype::bf16) : graph(real), rows(graph.rows("rows", 8, 2)), x(graph.input("x", {real, rows, {kWidth}})) {}

  [[nodiscard]] Tensor matrix(std::int64_t out = kWidth) const {
    return random_tensor({out, kWidth}, static_cast<std::uint64_t>(out)).to(graph.real());
  }
  Value map(Value of, const std::string& name, std::int64_t out = kWidth) { return linear(of, graph.frozen(name, matrix(out))); }
  Value attended(Value q, Value k, Value v) {
    AttentionOptions options;
    options.heads = options.kv_heads = 2;
    return attention({.q = q, .k = k, .v = v}, options);
  }
  [[nodiscard]] Ops joined(Value y) {
    graph.output("y", y);
    return ops_of(join_products(graph, PlansColumns()));
  }

  Graph graph;
  RowSpaceId rows;
  Value x;
};

}  // namespace

TEST_CASE("join_products: queries, keys and values of one input, keys and values of another, both sides of a gate") {
  Small self;
  CHECK(self.joined(self.attended(self.map(self.x, "q"), self.map(self.x, "k"), self.map(self.x, "v"))) ==
        Ops{"joined_linear", "split_columns", "attention"});
  Small cross;
  const Value other = cross.graph.input("other", {Dtype::bf16, cross.rows, {kWidth}});
  const Value q = cross.map(other, "q"), k = cross.map(cross.x, "k"), v = cross.map(cross.x, "v");
  CHECK(cross.joined(cross.attended(q, k, v)) == Ops{"linear", "joined_linear", "split_columns", "attention"});
  Small gate;
  CHECK(gate.joined(gated(gate.map(gate.x, "a", 24), gate.map(gate.x, "b", 24), ActivationKind::gelu)) ==
        Ops{"joined_linear", "split_columns", "gated"});
}

TEST_CASE("join_products: the parts lie in the order of the reader's operands, whatever the order of the products") {
  Small s;
  const Value v = s.map(s.x, "v"), q = s.map(s.x, "q"), k = s.map(s.x, "k");
  s.graph.output("y", s.attended(q, k, v));
  const Graph joined = join_products(s.graph, PlansColumns());
  for (const auto& node : joined.nodes()) {
    const auto* op = dynamic_cast<const JoinedLinear*>(node.op.get());
    if (op == nullptr) continue;
    CHECK(joined.node(node.inputs[op->weight(0)]).name == "q");
    CHECK(joined.node(node.inputs[op->weight(1)]).name == "k");
    CHECK(joined.node(node.inputs[op->weight(2)]).name == "v");
  }
}

TEST_CASE("join_products: not where somebody else reads a product, a matrix is trained or stored otherwise, or activations are float32") {
  const Ops apart{"linear", "linear", "gated"};
  const auto gate = [](Small& s, Value b) { return gated(s.map(s.x, "a"), b, ActivationKind::gelu); };
  Small read;
  const Value b = read.map(read.x, "b");
  read.graph.output("b", b);
  CHECK(read.joined(gate(read, b)) == apart);
  Small trained;
  CHECK(trained.joined(gate(trained, linear(trained.x, trained.graph.trainable("b", trained.matrix().to(Dtype::f32))))) == apart);
  Small stored;
  CHECK(stored.joined(gate(stored, linear(stored.x, stored.graph.frozen("b", stored.matrix().to(Dtype::f32))))) == apart);
  Small with_bias;
  CHECK(with_bias.joined(gate(with_bias, linear(with_bias.x, with_bias.graph.frozen("b", with_bias.matrix()),
                                                with_bias.graph.frozen("bias", Tensor(Dtype::f32, {kWidth}))))) == apart);
  Small wide(Dtype::f32);
  CHECK(wide.joined(gate(wide, wide.map(wide.x, "b"))) == apart);
  Small of_cpu;
  of_cpu.graph.output("y", gate(of_cpu, of_cpu.map(of_cpu.x, "b")));
  CHECK(ops_of(join_products(of_cpu.graph, cpu_backend())) == apart);
}

TEST_CASE("join_products: the gradient of the rows is one product, which adds to what there is; what the gate reads it writes over") {
  const PlansColumns backend;
  Graph graph(Dtype::bf16);
  const RowSpaceId rows = graph.rows("rows", 8, 2);
  const Value x = graph.trainable("x", random_tensor({8, kWidth}, 1).to(Dtype::f32), rows);
  const auto matrix = [&](const char* name) { return graph.frozen(name, random_tensor({kWidth, kWidth}, 2).to(Dtype::bf16)); };
  Value h = scale(cast(x, Dtype::bf16), 0.5);
  h = add(h, gated(linear(h, matrix("a")), linear(h, matrix("b")), ActivationKind::gelu));
  const Value y = linear(h, matrix("out"));
  graph.output("loss", dot(cast(y, Dtype::f32), graph.frozen("direction", random_tensor({8, kWidth}, 3).to(Dtype::f32), rows)));
  const auto program = compile(std::move(graph), {.loss = "loss", .memory = Budget::none(), .backend = &backend});
  const Graph& made = program->graph();
  CHECK(count_ops(made, "joined_linear") == 2);
  CHECK(count_ops(made, "join_columns") == 1);
  const auto& buffers = program->liveness().buffer_of;
  const auto buffer = [&](Value value) { return buffers[static_cast<std::size_t>(value.node)][static_cast<std::size_t>(value.output)]; };
  for (std::int32_t n = 0; n < made.size(); ++n) {
    const Node& node = made.node(n);
    if (!node.op) continue;
    const auto* op = dynamic_cast<const JoinedLinear*>(node.op.get());
    if (op != nullptr && op->transposed) CHECK(bool(node.inputs[JoinedLinear::kResidual]));
    if (node.op->name() == "join_columns") CHECK(buffers[static_cast<std::size_t>(n)][0] == buffer(made.node(node.inputs[0]).inputs[0]));
  }
}

TEST_CASE("join_products: plans for GPUs have it") {
  if (!has_cuda()) return;
  for (const Dtype real : {Dtype::f32, Dtype::bf16}) {
    Small s(real);
    s.graph.output("y", gated(s.map(s.x, "a"), s.map(s.x, "b"), ActivationKind::gelu));
    const auto program = compile(std::move(s.graph), {.backend = &cuda_planning_backend()});
    CHECK(count_ops(program->graph(), "joined_linear") == (real == Dtype::bf16 ? 1 : 0));
    CHECK(program->liveness().columns.size() == (real == Dtype::bf16 ? 2 : 0));
  }
}

}  // namespace join_products_test
