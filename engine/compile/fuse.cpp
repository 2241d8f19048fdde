#include "engine/compile/fuse.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/compile/rewrite.h"
#include "engine/graph/op.h"
#include "engine/ops/activation.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/feed_forward.h"
#include "engine/ops/gated.h"
#include "engine/ops/joined_linear.h"
#include "engine/ops/linear.h"
#include "engine/ops/linear_cross_entropy.h"
#include "engine/ops/linear_slope.h"
#include "engine/ops/norm.h"

namespace preamble {
namespace {

/// What a rule sees: the old graph, who reads what, and the new graph so far.
struct Site {
  const Graph& graph;
  const Users& users;
  Rewriter& rewriter;
  std::int32_t index;
  const Node& node;

  /// The op of type `T` that makes `value`, or null.
  template <class T>
  [[nodiscard]] const T* producer(Value value) const {
    return value ? dynamic_cast<const T*>(graph.node(value).op.get()) : nullptr;
  }
  /// Same, if nobody else reads `value`, which is output 0.
  template <class T>
  [[nodiscard]] const T* sole(Value value) const {
    const T* op = producer<T>(value);
    return op != nullptr && value.output == 0 && users.count(value) == 1 ? op : nullptr;
  }
  [[nodiscard]] const Node& maker(Value value) const { return graph.node(value); }
  [[nodiscard]] Value operand(const Node& of, std::size_t i) const { return i < of.inputs.size() ? rewriter(of.inputs[i]) : Value{}; }
  /// Lets new values stand for the outputs of the node.
  void replace(std::int32_t output, Value value) const { rewriter.replace({const_cast<Graph*>(&graph), index, output}, value); }
};

/// Rewrites the node if its pattern is there; false if not.
using Rule = bool (*)(const Site&);

bool fuse_head(const Site& s) {
  const auto* loss = dynamic_cast<const CrossEntropy*>(s.node.op.get());
  if (loss == nullptr) return false;
  const Value logits = s.node.inputs[CrossEntropy::kLogits];
  const auto* head = s.sole<Linear>(logits);
  if (head == nullptr || head->layout != WeightLayout::out_in || head->activation || s.operand(s.maker(logits), Linear::kResidual)) return false;
  const Node& maker = s.maker(logits);
  const Value fused = linear_cross_entropy(s.operand(maker, Linear::kInput), s.operand(maker, Linear::kWeight), s.operand(maker, Linear::kBias),
                                           s.operand(s.node, CrossEntropy::kLabels), s.operand(s.node, CrossEntropy::kWeight), loss->z_loss);
  s.replace(0, fused);
  s.replace(1, {fused.graph, fused.node, 1});
  return true;
}

bool fuse_gate(const Site& s) {
  if (dynamic_cast<const Multiply*>(s.node.op.get()) == nullptr) return false;
  const Value a = s.node.inputs[0];
  const auto* function = s.sole<Activation>(a);
  if (function == nullptr) return false;
  s.replace(0, gated(s.operand(s.maker(a), 0), s.operand(s.node, 1), function->kind));
  return true;
}

bool fuse_activation(const Site& s) {
  const auto* function = dynamic_cast<const Activation*>(s.node.op.get());
  if (function == nullptr) return false;
  const Value x = s.node.inputs[0];
  const auto* product = s.sole<Linear>(x);
  if (product == nullptr || product->activation) return false;
  const Node& maker = s.maker(x);
  if (s.operand(maker, Linear::kResidual)) return false;
  // a gate reads the argument of the function: fuse_gate is the better match
  for (const auto user : s.users.of(s.index)) {
    if (dynamic_cast<const Multiply*>(s.graph.node(user).op.get()) != nullptr && s.graph.node(user).inputs[0].node == s.index) return false;
  }
  const Value fused = linear_activation(s.operand(maker, Linear::kInput), s.operand(maker, Linear::kWeight), s.operand(maker, Linear::kBias),
                                        product->layout, function->kind);
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(s.node.outputs.size()); ++i) s.replace(i, {fused.graph, fused.node, i});
  return true;
}

bool fuse_residual_norm(const Site& s) {
  const auto* norm = dynamic_cast<const Norm*>(s.node.op.get());
  if (norm == nullptr || norm->adds || norm->parts != 1) return false;
  const Value sum = s.node.inputs[Norm::kInput];
  if (s.producer<Add>(sum) == nullptr || s.maker(sum).phase != s.node.phase) return false;
  // a product that was added in place is the better match
  if (dynamic_cast<const Add*>(s.rewriter.graph().node(s.rewriter(sum)).op.get()) == nullptr) return false;
  // whoever reads the sum must come later: it will be made here
  for (const auto user : s.users.of(sum.node)) {
    if (user < s.index) return false;
  }
  const Node& maker = s.maker(sum);
  const Value x = s.operand(maker, 0);
  const Value residual = s.operand(maker, 1);
  const Value scale = s.operand(s.node, Norm::kScale);
  const NormAndSum both = norm->kind == NormKind::rms ? add_rms_norm(x, residual, scale, norm->epsilon)
                                                      : add_layer_norm(x, residual, scale, s.operand(s.node, Norm::kBias), norm->epsilon);
  s.replace(0, both.y);
  s.rewriter.replace(sum, both.sum);
  return true;
}

bool fuse_norm_gradient(const Site& s) {
  if (dynamic_cast<const Add*>(s.node.op.get()) == nullptr) return false;
  for (const std::size_t i : {1U, 0U}) {
    const Value gradient = s.node.inputs[i];
    const auto* op = s.sole<NormGrad>(gradient);
    if (op == nullptr) continue;
    const Node& maker = s.maker(gradient);
    if (s.operand(maker, NormGrad::kSumGradient)) continue;
    // the other outputs of the old node must have no readers, or their work would be done twice
    if (s.users.of(gradient.node).size() != 1 || s.users.is_result(gradient.node)) continue;
    const Value fused = s.rewriter.graph().add(std::make_shared<NormGrad>(op->kind, op->epsilon, op->parts),
                                               {s.operand(maker, NormGrad::kInput), s.operand(maker, NormGrad::kScale),
                                                s.operand(maker, NormGrad::kGradient), s.operand(s.node, 1 - i)});
    s.replace(0, fused);
    return true;
  }
  return false;
}

/// Does nobody read the value behind this node?
bool dies_at(const Site& s, Value value) {
  if (s.users.is_result(value.node)) return false;
  for (const auto user : s.users.of(value.node)) {
    if (user <= s.index) continue;
    for (const auto& input : s.graph.node(user).inputs) {
      if (input == value) return false;
    }
  }
  return true;
}

/// A product and a sum that dies where it is added: the product adds to it in place.
template <class Product>
bool fuse_sum_of(const Site& s) {
  if (dynamic_cast<const Add*>(s.node.op.get()) == nullptr) return false;
  for (const std::size_t i : {1U, 0U}) {
    const Value product = s.node.inputs[i];
    const Value sum = s.node.inputs[1 - i];
    const auto* op = s.sole<Product>(product);
    // adding in place pays only where the sum dies here
    if (op == nullptr || s.maker(sum).op == nullptr || !dies_at(s, sum)) continue;
    if constexpr (std::is_same_v<Product, Linear>) {
      if (op->activation) continue;
    }
    const Node& maker = s.maker(product);
    if (s.operand(maker, Product::kResidual)) continue;
    std::vector<Value> operands = s.rewriter(maker.inputs);
    operands.resize(std::max(operands.size(), Product::kResidual + 1));
    operands[Product::kResidual] = s.operand(s.node, 1 - i);
    s.replace(0, s.rewriter.graph().add(maker.op, std::move(operands)));
    return true;
  }
  return false;
}

/// The linear map without a function that the node is, or null.
const Linear* plain_linear(const Site& s) {
  const auto* op = dynamic_cast<const Linear*>(s.node.op.get());
  return op != nullptr && !op->activation ? op : nullptr;
}

bool fuse_two_products(const Site& s) {
  const Linear* down = plain_linear(s);
  if (down == nullptr) return false;
  const Value wide = s.node.inputs[Linear::kInput];
  const auto* up = s.sole<Linear>(wide);
  if (up == nullptr || !up->activation || s.maker(wide).phase != s.node.phase) return false;
  // whoever reads what the gradient keeps must come later: it will be made here
  if (s.users.of(wide.node).front() < s.index) return false;
  const Node& maker = s.maker(wide);
  std::vector<Value> operands = {s.operand(maker, Linear::kInput), s.operand(maker, Linear::kWeight),
                                 s.operand(maker, Linear::kBias),  s.operand(s.node, Linear::kWeight),
                                 s.operand(s.node, Linear::kBias), s.operand(s.node, Linear::kResidual)};
  const Value fused = s.rewriter.graph().add(std::make_shared<FeedForward>(*up->activation, up->layout, down->layout), std::move(operands));
  s.replace(0, fused);
  if (maker.outputs.size() > 1) s.rewriter.replace({wide.graph, wide.node, 1}, {fused.graph, fused.node, 1});
  return true;
}

bool fuse_two_product_gradients(const Site& s) {
  const Linear* last = plain_linear(s);
  if (last == nullptr || s.operand(s.node, Linear::kBias)) return false;
  const Value inner = s.node.inputs[Linear::kInput];
  const auto* slope = s.sole<ActivationGrad>(inner);
  if (slope == nullptr) return false;
  const Value outer = s.maker(inner).inputs[ActivationGrad::kGradient];
  const auto* first = s.sole<Linear>(outer);
  if (first == nullptr || first->activation) return false;
  const Node& maker = s.maker(outer);
  if (s.operand(maker, Linear::kBias) || s.operand(maker, Linear::kResidual)) return false;
  std::vector<Value> operands(FeedForwardGrad::kResidual + 1);
  const Value kept = s.maker(inner).inputs[ActivationGrad::kKept];
  const auto* source = s.producer<Linear>(kept);
  // the fused node makes the sum of a product and a bias, and nothing besides
  const bool recomputes = source != nullptr && !s.operand(s.maker(kept), Linear::kResidual) &&
                          s.maker(kept).phase == Phase::recompute && s.users.of(kept.node).size() == 1 &&
                          source->layout == flipped(last->layout) &&
                          s.maker(kept).inputs[Linear::kWeight] == s.node.inputs[Linear::kWeight];
  operands[FeedForwardGrad::kKept] = recomputes ? s.operand(s.maker(kept), Linear::kInput) : s.rewriter(kept);
  if (recomputes) operands[FeedForwardGrad::kFirstBias] = s.operand(s.maker(kept), Linear::kBias);
  operands[FeedForwardGrad::kGradient] = s.operand(maker, Linear::kInput);
  operands[FeedForwardGrad::kFirstWeight] = s.operand(s.node, Linear::kWeight);
  operands[FeedForwardGrad::kSecondWeight] = s.operand(maker, Linear::kWeight);
  operands[FeedForwardGrad::kResidual] = s.operand(s.node, Linear::kResidual);
  s.replace(
      0, s.rewriter.graph().add(std::make_shared<FeedForwardGrad>(slope->kind, flipped(last->layout), flipped(first->layout), recomputes),
                                std::move(operands)));
  return true;
}

bool fuse_slope(const Site& s) {
  const auto* slope = dynamic_cast<const ActivationGrad*>(s.node.op.get());
  if (slope == nullptr || slope->kind != ActivationKind::gelu_tanh) return false;
  const Value product = s.node.inputs[ActivationGrad::kGradient];
  const auto* op = s.sole<Linear>(product);
  if (op == nullptr || op->activation || s.maker(product).phase != s.node.phase) return false;
  const Node& maker = s.maker(product);
  const Type& weight = maker.inputs[Linear::kWeight].type();
  const Type& dy = product.type();
  // the epilogue reads rows of whole 16 bytes
  if (s.operand(maker, Linear::kBias) || s.operand(maker, Linear::kResidual) || dy.dtype != Dtype::bf16 || weight.dtype != Dtype::bf16 ||
      dy.width() % 8 != 0) {
    return false;
  }
  s.replace(0, s.rewriter.graph().add(std::make_shared<LinearSlope>(op->layout), {s.operand(maker, Linear::kInput), s.operand(maker, Linear::kWeight),
                                                                                   s.operand(s.node, ActivationGrad::kKept)}));
  return true;
}

Graph apply_rules(const Graph& graph, std::span<const Rule> rules) {
  const Users users(graph);
  Rewriter rewriter(graph);
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    const Node& node = rewriter.enter(n);
    if (!node.op) continue;
    bool done = false;
    for (const Rule rule : rules) done = done || rule({graph, users, rewriter, n, node});
    if (!done) rewriter.copy(n);
  }
  return eliminate_dead(rewriter.finish());
}

}  // namespace

Graph fuse_forward(const Graph& graph) {
  static constexpr std::array<Rule, 3> kRules = {fuse_head, fuse_gate, fuse_activation};
  return apply_rules(graph, kRules);
}

Graph fuse_sums(const Graph& graph) {
  static constexpr std::array<Rule, 4> kRules = {fuse_residual_norm, fuse_norm_gradient, fuse_sum_of<Linear>, fuse_sum_of<JoinedLinear>};
  return apply_rules(graph, kRules);
}

Graph fuse_feed_forward(const Graph& graph) {
  static constexpr std::array<Rule, 2> kRules = {fuse_two_products, fuse_two_product_gradients};
  return apply_rules(graph, kRules);
}

Graph fuse_slopes(const Graph& graph) {
  static constexpr std::array<Rule, 1> kRules = {fuse_slope};
  return apply_rules(graph, kRules);
}

}  // namespace preamble
