#include "engine/runtime/explain.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/compile/rewrite.h"

namespace preamble {
namespace {

constexpr std::string_view kGradient = "grad.";

class Account {
 public:
  Account(const Program& program, std::string_view loss)
      : graph_(program.graph()), used_(used_outputs(graph_)), turning_point_(graph_.output(loss).node) {}

  std::vector<ScopeCost> run() {
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      if (graph_.node(n).op) add_step(n);
    }
    add_kept();
    for (const auto& [name, value] : graph_.outputs()) {
      if (name.starts_with(kGradient)) at(graph_.node(value)).gradient_bytes += graph_.bytes(value.type());
    }
    return std::move(costs_);
  }

 private:
  ScopeCost& at(const Node& node) {
    const auto [found, is_new] = index_.try_emplace(node.scope, costs_.size());
    if (is_new) costs_.emplace_back().scope = node.scope;
    return costs_[found->second];
  }

  void add_step(std::int32_t n) {
    const Node& node = graph_.node(n);
    ScopeCost& cost = at(node);
    const double flops = flops_of(graph_, n, used_[static_cast<std::size_t>(n)]);
    if (node.phase == Phase::forward) cost.forward_flops += flops;
    if (node.phase == Phase::recompute) cost.recomputed_flops += flops;
    if (node.phase == Phase::backward) {
      cost.backward_flops += flops;
      ++cost.backward_steps;
    }
    if (node.phase != Phase::recompute) add_rows(n, node.phase == Phase::forward ? cost.forward_rows : cost.backward_rows);
  }

  void add_rows(std::int32_t n, std::vector<std::string>& names) const {
    const Node& node = graph_.node(n);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (!used_[static_cast<std::size_t>(n)][i] || !node.outputs[i].has_rows()) continue;
      const std::string& name = graph_.rows(node.outputs[i].rows).name;
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }

  /// Values made up to the turning point and read behind it.
  void add_kept() {
    std::set<std::pair<std::int32_t, std::int32_t>> seen;
    for (std::int32_t n = turning_point_ + 1; n < graph_.size(); ++n) {
      for (const auto& input : graph_.node(n).inputs) {
        if (!input || input.node > turning_point_ || !graph_.node(input).op || !seen.emplace(input.node, input.output).second) continue;
        at(graph_.node(input)).kept_bytes += graph_.bytes(input.type());
      }
    }
  }

  const Graph& graph_;
  std::vector<std::vector<bool>> used_;
  std::int32_t turning_point_;
  std::vector<ScopeCost> costs_;
  std::map<std::string, std::size_t> index_;
};

}  // namespace

std::vector<ScopeCost> cost_by_scope(const Program& program, std::string_view loss) { return Account(program, loss).run(); }

std::int64_t saved_bytes(const Program& program, std::string_view loss) {
  const std::int32_t turning_point = program.graph().output(loss).node;
  std::int64_t bytes = 0;
  for (const auto& buffer : program.liveness().buffers) {
    if (buffer.first <= turning_point && buffer.last > turning_point) bytes += buffer.bytes;
  }
  return bytes;
}

std::int64_t gradient_bytes(const Program& program) {
  std::int64_t bytes = 0;
  for (const auto& [name, value] : program.graph().outputs()) {
    if (name.starts_with(kGradient)) bytes += program.graph().bytes(value.type());
  }
  return bytes;
}

}  // namespace preamble
