#include "engine/compile/join_products.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "engine/compile/rewrite.h"
#include "engine/graph/op.h"
#include "engine/ops/joined_linear.h"
#include "engine/ops/linear.h"
#include "engine/ops/split_columns.h"

namespace preamble {
namespace {

/// Products that become one.
using ProductGroup = std::vector<std::int32_t>;

class ProductSearch {
 public:
  ProductSearch(const Graph& graph, const Backend& backend) : graph_(graph), backend_(backend), users_(graph) {}

  /// By the first node of each group: nodes in the order of the reader's operands.
  std::map<std::int32_t, ProductGroup> run() {
    std::map<std::int32_t, ProductGroup> groups;
    for (const auto& reader : graph_.nodes()) {
      if (!reader.op) continue;
      ProductGroup group;
      for (std::size_t i = 0; i < reader.inputs.size(); ++i) {
        const Value value = reader.inputs[i];
        if (!value || !backend_.reads_columns(reader, i) || !joins(value)) continue;
        if (group.empty() || goes_with(value.node, group.front())) group.push_back(value.node);
      }
      // cross-attention: keys and values are of other rows than queries
      if (group.size() == 1) group = without_first(reader, group.front());
      if (group.size() > 1) groups.emplace(*std::ranges::min_element(group), std::move(group));
    }
    return groups;
  }

 private:
  /// The group of those that follow an operand which stands alone.
  [[nodiscard]] ProductGroup without_first(const Node& reader, std::int32_t alone) const {
    ProductGroup group;
    for (std::size_t i = 0; i < reader.inputs.size(); ++i) {
      const Value value = reader.inputs[i];
      if (!value || value.node == alone || !backend_.reads_columns(reader, i) || !joins(value)) continue;
      if (group.empty() || goes_with(value.node, group.front())) group.push_back(value.node);
    }
    return group;
  }

  /// A plain linear map by a frozen matrix that one node reads once?
  [[nodiscard]] bool joins(Value value) const {
    const Node& node = graph_.node(value);
    const auto* op = dynamic_cast<const Linear*>(node.op.get());
    if (op == nullptr || op->activation || op->layout != WeightLayout::out_in || users_.count(value) != 1) return false;
    if (has(node, Linear::kResidual)) return false;
    const Type& w = node.inputs[Linear::kWeight].type();
    constexpr std::int64_t kWhole = 8;  // rows begin at multiples of 16 bytes
    return is_frozen(node.inputs[Linear::kWeight]) && (!has(node, Linear::kBias) || is_frozen(node.inputs[Linear::kBias])) &&
           w.dtype == Dtype::bf16 && node.outputs[0].dtype == Dtype::bf16 && w.dims[0] % kWhole == 0 && w.dims[1] % kWhole == 0;
  }

  [[nodiscard]] bool goes_with(std::int32_t a, std::int32_t b) const {
    const Node &one = graph_.node(a), &other = graph_.node(b);
    return one.inputs[Linear::kInput] == other.inputs[Linear::kInput] && has(one, Linear::kBias) == has(other, Linear::kBias) &&
           !(one.inputs[Linear::kWeight] == other.inputs[Linear::kWeight]);
  }

  [[nodiscard]] bool is_frozen(Value value) const { return graph_.node(value).role == Role::frozen; }
  [[nodiscard]] static bool has(const Node& node, std::size_t i) { return i < node.inputs.size() && node.inputs[i]; }

  const Graph& graph_;
  const Backend& backend_;
  Users users_;
};

/// Makes the product of a group, whose parts stand for the old products from now on.
void join(const ProductGroup& group, Rewriter& rewriter) {
  const Graph& from = rewriter.from();
  std::vector<Value> weights, biases;
  std::vector<std::int64_t> widths;
  for (const auto n : group) {
    const Node& node = from.node(n);
    weights.push_back(rewriter(node.inputs[Linear::kWeight]));
    if (node.inputs.size() > Linear::kBias && node.inputs[Linear::kBias]) biases.push_back(rewriter(node.inputs[Linear::kBias]));
    widths.push_back(node.outputs[0].width());
  }
  const Value all = joined_linear(rewriter(from.node(group.front()).inputs[Linear::kInput]), weights, biases);
  const std::vector<Value> parts = split_columns(all, widths);
  for (std::size_t i = 0; i < group.size(); ++i) rewriter.replace({const_cast<Graph*>(&from), group[i], 0}, parts[i]);
}

}  // namespace

Graph join_products(const Graph& graph, const Backend& backend) {
  const auto groups = ProductSearch(graph, backend).run();
  if (groups.empty()) return eliminate_dead(graph);
  std::vector<bool> joined(static_cast<std::size_t>(graph.size()), false);
  for (const auto& [first, group] : groups) {
    for (const auto n : group) joined[static_cast<std::size_t>(n)] = true;
  }
  Rewriter rewriter(graph);
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    if (!rewriter.enter(n).op) continue;
    if (const auto found = groups.find(n); found != groups.end()) join(found->second, rewriter);
    if (!joined[static_cast<std::size_t>(n)]) rewriter.copy(n);
  }
  return rewriter.finish();
}

}  // namespace preamble
