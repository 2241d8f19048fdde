#include "engine/compile/absorb.h"

#include "engine/compile/rewrite.h"
#include "engine/graph/op.h"
#include "engine/ops/attention.h"
#include "engine/ops/head_linear.h"
#include "engine/ops/linear.h"

namespace preamble {
namespace {

/// The frozen, plain projection that makes `value` for nobody but its one reader, or null.
const Node* projection(const Graph& graph, const Users& users, Value value) {
  if (!value || users.count(value) != 1) return nullptr;
  const Node& node = graph.node(value);
  const auto* op = dynamic_cast<const Linear*>(node.op.get());
  if (op == nullptr || op->layout != WeightLayout::out_in || op->activation) return nullptr;
  for (std::size_t i = Linear::kBias; i < node.inputs.size(); ++i) {
    if (node.inputs[i]) return nullptr;
  }
  const Node& weight = graph.node(node.inputs[Linear::kWeight]);
  return weight.role == Role::frozen ? &node : nullptr;
}

struct Match {
  Value rows;  ///< E
  Value key_weight;
  Value value_weight;
};

class Absorber {
 public:
  explicit Absorber(const Graph& graph) : graph_(graph), users_(graph), rewriter_(graph) {}

  Graph run() {
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      if (!graph_.node(n).op) continue;
      Match match;
      if (matches(n, match)) {
        rewrite(n, match);
      } else {
        rewriter_.copy(n);
      }
    }
    return eliminate_dead(rewriter_.finish());
  }

 private:
  bool matches(std::int32_t n, Match& match) const {
    const Node& node = graph_.node(n);
    const auto* op = dynamic_cast<const Attention*>(node.op.get());
    if (op == nullptr || op->options.heads != op->options.kv_heads) return false;
    // prefixes are keys, and position tables meet keys: both are lost with the projection
    for (const std::size_t i : {Attention::kPrefixKey, Attention::kPositionKey, Attention::kPositionQuery}) {
      if (i < node.inputs.size() && node.inputs[i]) return false;
    }
    const Node* key = projection(graph_, users_, node.inputs[Attention::kKey]);
    const Node* value = projection(graph_, users_, node.inputs[Attention::kValue]);
    if (key == nullptr || value == nullptr || !(key->inputs[Linear::kInput] == value->inputs[Linear::kInput])) return false;
    match = {key->inputs[Linear::kInput], key->inputs[Linear::kWeight], value->inputs[Linear::kWeight]};
    return cheaper(node, match);
  }

  /// Compares operations of a forward pass at capacity.
  [[nodiscard]] bool cheaper(const Node& node, const Match& match) const {
    const Type& q = node.inputs[Attention::kQuery].type();
    const Type& e = match.rows.type();
    if (q.rows == e.rows) return false;
    const auto queries = static_cast<double>(graph_.capacity(q));
    const auto rows = static_cast<double>(graph_.capacity(e));
    const double keys = rows / static_cast<double>(graph_.rows(e.rows).segments);
    const auto heads = static_cast<double>(dynamic_cast<const Attention*>(node.op.get())->options.heads);
    const auto inner = static_cast<double>(q.width());
    const auto width = static_cast<double>(e.width());
    const double projected = 4 * rows * width * inner + 4 * queries * keys * inner;
    const double absorbed = 4 * queries * inner * width + 4 * queries * keys * heads * width;
    return absorbed < projected;
  }

  void rewrite(std::int32_t n, const Match& match) {
    const Node& node = rewriter_.enter(n);
    AttentionOptions options = dynamic_cast<const Attention*>(node.op.get())->options;
    const std::int64_t heads = options.heads;
    options.kv_heads = 1;
    const auto operand = [&](std::size_t i) { return i < node.inputs.size() ? rewriter_(node.inputs[i]) : Value{}; };
    AttentionOperands operands;
    operands.q = head_expand(operand(Attention::kQuery), rewriter_(match.key_weight), heads);
    operands.k = operands.v = rewriter_(match.rows);
    operands.bias_table = operand(Attention::kBiasTable);
    operands.slots = operand(Attention::kSlots);
    operands.kv_segment = operand(Attention::kKeySegment);
    operands.context = operand(Attention::kContext);
    operands.dropout_key = operand(Attention::kDropoutKey);
    rewriter_.replace({const_cast<Graph*>(&graph_), n, 0}, head_reduce(attention(operands, options), rewriter_(match.value_weight), heads));
  }

  const Graph& graph_;
  Users users_;
  Rewriter rewriter_;
};

}  // namespace

Graph absorb_projections(const Graph& graph) { return Absorber(graph).run(); }

}  // namespace preamble
