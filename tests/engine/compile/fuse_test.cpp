#include "engine/compile/fuse.h"

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/ops/activation.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/ops/norm.h"
#include "engine/runtime/session.h"
#include "tests/support/graphs.h"
#include "tests/support/values.h"

namespace fuse_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Ops = std::vector<std::string>;

/// Operands: x, r [5, 4] rows; w [6, 4], v [6, 4], u [4, 6]; b [6]; scale [4]; labels [5]; one [].
GradientCase building(std::function<Value(Graph&, const std::vector<Value>&)> build) {
  return {{{"rows", Segments(std::array{2, 3})}},
          {{"x", random_tensor({5, 4}, 1), "rows"},
           {"r", random_tensor({5, 4}, 2), "rows"},
           {"w", random_tensor({6, 4}, 3)},
           {"v", random_tensor({6, 4}, 4)},
           {"u", random_tensor({4, 6}, 5)},
           {"b", random_tensor({6}, 6)},
           {"scale", random_tensor({4}, 7)},
           {"labels", indices({0, 5, 2, 3, 1}), "rows"},
           {"one", doubles({}, {0.2}), "", false}},
          std::move(build)};
}

/// The ops that a pass leaves of what the case builds.
Ops ops_after(const GradientCase& test, const std::function<Graph(const Graph&)>& pass) {
  Graph graph(Dtype::f64);
  const RowSpaceId rows = graph.rows("rows", 8, 2);
  std::vector<Value> values;
  for (const auto& operand : test.operands) {
    const bool real = is_floating(operand.values.dtype());
    if (operand.space.empty()) {
      values.push_back(graph.frozen(operand.name, operand.values));
    } else {
      values.push_back(graph.input(operand.name, {real ? Dtype::f64 : Dtype::i32, rows, real ? Dims{4} : Dims{}}));
    }
  }
  graph.output("y", test.build(graph, values));
  return ops_of(pass(graph));
}

/// Fused and unfused programs agree.
void check_fusion(const GradientCase& test) {
  check_close(evaluate(test, Dtype::f64, true), numbers(evaluate(test, Dtype::f64, false)), 1e-13);
}

enum Operand { kX, kR, kW, kV, kU, kB, kScale, kLabels, kOne };

}  // namespace

TEST_CASE("fuse_forward: the head and its loss become one op") {
  const auto head = building([](Graph&, const auto& o) { return cross_entropy(linear(o[kX], o[kW], o[kB]), o[kLabels], o[kOne], 1e-3); });
  CHECK(ops_after(head, fuse_forward) == Ops{"linear_cross_entropy"});
  check_fusion(head);
}

TEST_CASE("fuse_forward: logits that somebody else reads stay") {
  const auto kept = building([](Graph& g, const auto& o) {
    const Value logits = linear(o[kX], o[kW]);
    g.output("logits", logits);
    return cross_entropy(logits, o[kLabels], o[kOne]);
  });
  CHECK(ops_after(kept, fuse_forward) == Ops{"linear", "cross_entropy"});
}

TEST_CASE("fuse_forward: the losses of the rows survive as a second result") {
  const auto nll = building([](Graph&, const auto& o) { return nll_of(cross_entropy(linear(o[kX], o[kW]), o[kLabels], o[kOne])); });
  CHECK(ops_after(nll, fuse_forward) == Ops{"linear_cross_entropy"});
  check_fusion(nll);
}

TEST_CASE("fuse_forward: activation times value becomes a gate, in preference to an epilogue") {
  const auto gate = building([](Graph&, const auto& o) {
    const Value a = activation(linear(o[kX], o[kW]), ActivationKind::gelu_tanh);
    return multiply(a, linear(o[kX], o[kV]));
  });
  const auto ops = ops_after(gate, fuse_forward);
  CHECK(ops == Ops{"linear", "linear", "gated"});
  check_fusion(gate);
  const auto other_side = building([](Graph&, const auto& o) {
    const Value b = linear(o[kX], o[kV]);
    return multiply(b, activation(linear(o[kX], o[kW]), ActivationKind::silu));
  });
  CHECK(ops_after(other_side, fuse_forward) == Ops{"linear", "linear", "multiply"});
  check_fusion(other_side);
}

TEST_CASE("fuse_forward: an activation moves into the product's epilogue") {
  for (const auto kind : {ActivationKind::relu, ActivationKind::gelu, ActivationKind::tanh}) {
    const auto epilogue = building([kind](Graph&, const auto& o) { return activation(linear(o[kX], o[kW], o[kB]), kind); });
    CHECK(ops_after(epilogue, fuse_forward) == Ops{"linear"});
    check_fusion(epilogue);
  }
}

TEST_CASE("fuse_forward: a product that somebody else reads keeps its activation apart") {
  const auto shared = building([](Graph&, const auto& o) {
    const Value y = linear(o[kX], o[kW]);
    return add(activation(y, ActivationKind::gelu), y);
  });
  CHECK(ops_after(shared, fuse_forward) == Ops{"linear", "activation", "add"});
  check_fusion(shared);
}

TEST_CASE("fuse_sums: a residual moves into the norm behind it") {
  const auto residual = building([](Graph&, const auto& o) { return rms_norm(add(o[kX], o[kR]), o[kScale], 1e-6); });
  CHECK(ops_after(residual, fuse_sums) == Ops{"norm"});
  check_fusion(residual);
  const auto layer = building([](Graph&, const auto& o) {
    const Value sum = add(o[kX], o[kR]);
    return add(layer_norm(sum, o[kScale], {}, 1e-6), sum);
  });
  CHECK(ops_after(layer, fuse_sums) == Ops{"norm", "add"});
  check_fusion(layer);
}

TEST_CASE("fuse_sums: a sum that is read before the norm stays a sum") {
  const auto early = building([](Graph&, const auto& o) {
    const Value sum = add(o[kX], o[kR]);
    const Value doubled = scale(sum, 2);
    return add(rms_norm(sum, o[kScale], 1e-6), doubled);
  });
  CHECK(ops_after(early, fuse_sums) == Ops{"add", "scale", "norm", "add"});
  check_fusion(early);
}

TEST_CASE("fuse_sums: a product adds to a sum that dies at it") {
  const auto sum = building([](Graph&, const auto& o) {
    const Value tripled = scale(o[kX], 3);
    return add(tripled, linear(linear(o[kX], o[kW]), o[kU]));
  });
  CHECK(ops_after(sum, fuse_sums) == Ops{"scale", "linear", "linear"});
  check_fusion(sum);
}

TEST_CASE("fuse_sums: a product does not add to a value that is read again, or to a leaf") {
  const auto again = building([](Graph&, const auto& o) {
    const Value kept = scale(o[kX], 3);
    return multiply(add(kept, linear(linear(o[kX], o[kW]), o[kU])), kept);
  });
  CHECK(ops_after(again, fuse_sums) == Ops{"scale", "linear", "linear", "add", "multiply"});
  check_fusion(again);
  const auto leaf = building([](Graph&, const auto& o) { return add(o[kR], linear(linear(o[kX], o[kW]), o[kU])); });
  CHECK(ops_after(leaf, fuse_sums) == Ops{"linear", "linear", "add"});
}

TEST_CASE("fuse_feed_forward: two products with a function between them become one op") {
  const auto both = [](const Graph& graph) { return fuse_feed_forward(fuse_sums(fuse_forward(graph))); };
  const auto pair =
      building([](Graph&, const auto& o) { return linear(activation(linear(o[kX], o[kW], o[kB]), ActivationKind::gelu), o[kU]); });
  CHECK(ops_after(pair, both) == Ops{"feed_forward"});
  check_fusion(pair);
  const auto onto_sum = building(
      [](Graph&, const auto& o) { return add(scale(o[kX], 3), linear(activation(linear(o[kX], o[kW]), ActivationKind::relu), o[kU])); });
  CHECK(ops_after(onto_sum, both) == Ops{"scale", "feed_forward"});
  check_fusion(onto_sum);
}

TEST_CASE("fuse_feed_forward: a wide value that somebody else reads stays") {
  const auto both = [](const Graph& graph) { return fuse_feed_forward(fuse_sums(fuse_forward(graph))); };
  const auto shared = building([](Graph& g, const auto& o) {
    const Value h = activation(linear(o[kX], o[kW]), ActivationKind::gelu);
    g.output("wide", h);
    return linear(h, o[kU]);
  });
  CHECK(ops_after(shared, both) == Ops{"linear", "linear"});
  const auto without = building([](Graph&, const auto& o) { return linear(linear(o[kX], o[kW]), o[kU]); });
  CHECK(ops_after(without, both) == Ops{"linear", "linear"});
}

TEST_CASE("fuse_feed_forward: trained weights read the wide values, frozen ones and biases behind them do not") {
  const auto ops = [](std::string_view trained, std::string_view op) {
    const auto test =
        building([](Graph&, const auto& o) { return linear(activation(linear(o[kX], o[kW], o[kB]), ActivationKind::gelu), o[kU]); });
    Graph graph(Dtype::f64);
    const RowSpaceId rows = graph.rows("rows", 5, 2);
    std::vector<Value> values;
    for (const auto& operand : test.operands) {
      if (!is_floating(operand.values.dtype())) {
        values.emplace_back();
      } else {
        const RowSpaceId space = operand.space.empty() ? kNoRows : rows;
        values.push_back(operand.name == trained ? graph.trainable(operand.name, operand.values.clone(), space)
                                                 : graph.frozen(operand.name, operand.values, space));
      }
    }
    const Value y = test.build(graph, values);
    graph.output("loss", dot(y, y));
    return count_ops(compile(std::move(graph), {.loss = "loss"})->graph(), op);
  };
  CHECK(ops("x", "feed_forward") == 1);
  CHECK(ops("x", "feed_forward_grad") == 1);
  CHECK(ops("u", "feed_forward") == 0);
  CHECK(ops("b", "feed_forward") == 1);
  CHECK(ops("b", "feed_forward_grad") == 0);
  CHECK(ops("w", "feed_forward") == 1);
  CHECK(ops("w", "feed_forward_grad") == 0);
}

TEST_CASE("fuse_feed_forward: a wide value that is a sum is not made again inside the gradient, which would lose a part of it") {
  const auto gradient = [](bool onto_sum) {
    return building([=](Graph& g, const auto& o) {
      const Value residual = linear(o[kR], o[kV]);
      g.set_phase(Phase::recompute);
      const Value wide = onto_sum ? linear_add(o[kX], o[kW], o[kB], residual, WeightLayout::out_in) : linear(o[kX], o[kW], o[kB]);
      g.set_phase(Phase::backward);
      const Value outer = linear(o[kR], o[kU], {}, WeightLayout::in_out);
      const Value inner = g.add(std::make_shared<ActivationGrad>(ActivationKind::gelu), {wide, outer});
      const Value dx = linear(inner, o[kW], {}, WeightLayout::in_out);
      g.set_phase(Phase::forward);
      return dx;
    });
  };
  CHECK(ops_after(gradient(false), fuse_feed_forward) == Ops{"feed_forward_grad"});
  CHECK(ops_after(gradient(true), fuse_feed_forward) == Ops{"linear", "linear", "feed_forward_grad"});
  check_fusion(gradient(false));
  check_fusion(gradient(true));
}

TEST_CASE("fuse_slopes: a product of bf16 ends in the gradient of gelu_tanh, unless somebody else reads it") {
  const auto ops = [](Dtype weights, std::int64_t wide, ActivationKind kind, bool read) {
    Graph graph(Dtype::bf16);
    const RowSpaceId rows = graph.rows("rows", 8, 2);
    const Value dy = graph.input("dy", {Dtype::bf16, rows, {16}});
    const Value kept = graph.input("kept", {Dtype::bf16, rows, {wide}});
    const Value product = linear(dy, graph.frozen("w", Tensor(weights, {16, wide})), {}, WeightLayout::in_out);
    if (read) graph.output("product", product);
    graph.output("dx", activation_grad(kind, kept, product));
    return ops_of(fuse_slopes(graph));
  };
  const Ops apart{"linear", "activation_grad"};
  CHECK(ops(Dtype::bf16, 24, ActivationKind::gelu_tanh, false) == Ops{"linear_slope"});
  CHECK(ops(Dtype::bf16, 24, ActivationKind::gelu_tanh, true) == apart);
  CHECK(ops(Dtype::bf16, 24, ActivationKind::gelu, false) == apart);
  // whole pieces of 16 bytes, and matrices that need no conversion
  CHECK(ops(Dtype::bf16, 20, ActivationKind::gelu_tanh, false) == apart);
  CHECK(ops(Dtype::f32, 24, ActivationKind::gelu_tanh, false) == apart);
}

TEST_CASE("fuse: gradients of a fused program are those of the unfused one") {
  const auto gradients = [](bool fuse, ActivationKind kind) {
    Graph graph(Dtype::f64);
    const RowSpaceId rows = graph.rows("rows", 6, 2);
    const Value x = graph.trainable("x", random_tensor({6, 8}, 3), rows);
    const Value y = Stack{.width = 8, .layers = 2, .kind = kind}.build(graph, x);
    const Value labels = graph.frozen("labels", indices({0, 3, 1, 2, 4, 0}), rows);
    const Value one = graph.frozen("one", doubles({}, {1.0 / 6}));
    graph.output("loss", cross_entropy(linear(y, graph.frozen("head", random_tensor({5, 8}, 4))), labels, one));
    CompileOptions options;
    options.loss = "loss";
    options.fuse = fuse;
    Session session(compile(std::move(graph), options));
    session.rows("rows", Segments(std::array{2, 4}));
    session.run();
    CHECK((count_ops(session.program().graph(), "linear_cross_entropy") == 1) == fuse);
    CHECK((count_ops(session.program().graph(), "activation") == 0) == fuse);
    return std::pair(numbers(session.result_tensor("loss")), numbers(session.result_tensor("grad.x")));
  };
  for (const auto kind : {ActivationKind::relu, ActivationKind::gelu, ActivationKind::sigmoid}) {
    const auto fused = gradients(true, kind);
    const auto plain = gradients(false, kind);
    check_close(fused.first, plain.first, 1e-13);
    check_close(fused.second, plain.second, 1e-12);
  }
}

}  // namespace fuse_test
