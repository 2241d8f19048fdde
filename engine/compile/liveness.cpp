#include "engine/compile/liveness.h"

#include <algorithm>
#include <memory>

#include "engine/compile/rewrite.h"
#include "engine/graph/op.h"

namespace preamble {
namespace {

constexpr std::int64_t rounded(std::int64_t bytes) noexcept {
  return std::max(kBufferAlignment, (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment);
}

class Analysis {
 public:
  Analysis(const Graph& graph, const Backend& backend) : graph_(graph), backend_(backend), used_(used_outputs(graph)) {
    result_.buffer_of.resize(graph.nodes().size());
    result_.workspace_of.assign(graph.nodes().size(), -1);
    last_use_.resize(graph.nodes().size());
    for (std::int32_t n = 0; n < graph.size(); ++n) last_use_[at(n)].assign(graph.node(n).outputs.size(), n);
    for (std::int32_t n = 0; n < graph.size(); ++n) {
      for (const auto& input : graph.node(n).inputs) {
        if (input) last_use(input) = n;
      }
    }
    for (const auto& [name, value] : graph.outputs()) last_use(value) = graph.size();
  }

  Liveness run() {
    result_.columns = column_views(graph_, backend_);
    for (std::int32_t n = 0; n < graph_.size(); ++n) place(n);
    measure();
    return std::move(result_);
  }

 private:
  static std::size_t at(std::int32_t i) noexcept { return static_cast<std::size_t>(i); }
  std::int32_t& last_use(Value value) { return last_use_[at(value.node)][at(value.output)]; }

  void place(std::int32_t n) {
    const Node& node = graph_.node(n);
    auto& placed = result_.buffer_of[at(n)];
    placed.resize(node.outputs.size(), -1);
    if (!node.op) {
      if (node.role == Role::input) placed[0] = open(graph_.bytes(node.outputs[0]), 0, last_use_[at(n)][0]);
      return;
    }
    const auto aliases = node.op->aliases();
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      // the parts of a wider value may have opened its buffer
      if (!used_[at(n)][i] || placed[i] >= 0) continue;
      placed[i] = in_columns(n, static_cast<std::int32_t>(i));
      if (placed[i] >= 0) continue;
      const std::int64_t bytes = rounded(graph_.bytes(node.outputs[i]));
      placed[i] = take_over(n, static_cast<std::int32_t>(i), bytes, aliases);
      if (placed[i] == kLeafMemory) {
        placed[i] = -1;
      } else if (placed[i] >= 0) {
        auto& buffer = result_.buffers[at(placed[i])];
        buffer.last = std::max(buffer.last, last_use_[at(n)][i]);
      } else {
        placed[i] = open(bytes, n, last_use_[at(n)][i]);
      }
    }
    const auto flags = std::make_unique<bool[]>(used_[at(n)].size());
    std::ranges::copy(used_[at(n)], flags.get());
    const std::int64_t scratch = backend_.scratch({graph_, node, {flags.get(), used_[at(n)].size()}});
    if (scratch > 0) result_.workspace_of[at(n)] = open(scratch, n, n);
  }

  std::int32_t open(std::int64_t bytes, std::int32_t first, std::int32_t last) {
    result_.buffers.push_back({rounded(bytes), first, last});
    return static_cast<std::int32_t>(result_.buffers.size()) - 1;
  }

  /// The buffer of the wider value that output `i` of node `n` is a part of, or -1.
  std::int32_t in_columns(std::int32_t n, std::int32_t i) {
    const auto found = result_.columns.find({n, i});
    if (found == result_.columns.end()) return -1;
    const ColumnView& view = found->second;
    auto& whole = result_.buffer_of[at(view.node)];
    whole.resize(graph_.node(view.node).outputs.size(), -1);
    std::int32_t& buffer = whole[at(view.output)];
    const std::int32_t last = std::max(last_use_[at(n)][at(i)], last_use_[at(view.node)][at(view.output)]);
    if (buffer >= 0) {
      result_.buffers[at(buffer)].last = std::max(result_.buffers[at(buffer)].last, last);
    } else if (view.node > n) {
      buffer = overwritten(n, view);
      if (buffer < 0) buffer = open(graph_.bytes(graph_.node(view.node).outputs[at(view.output)]), n, last);
      result_.buffers[at(buffer)].last = std::max(result_.buffers[at(buffer)].last, last);
    } else {
      result_.columns.erase(found);  // it lies in a leaf
    }
    return buffer;
  }

  /// Buffer of a wider value whose parts node `n` reads, that dies here, and that the wider value of the node's results may have: each result may
  /// overwrite the operand in its columns, and nothing else lies there. Or -1.
  std::int32_t overwritten(std::int32_t n, const ColumnView& whole) {
    const Node& node = graph_.node(n);
    const auto aliases = node.op->aliases();
    std::int32_t found = -1;
    std::int64_t columns = 0;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(node.outputs.size()); ++i) {
      const auto made = result_.columns.find({n, i});
      if (made == result_.columns.end() || made->second.node != whole.node) continue;
      const auto over = std::ranges::find_if(aliases, [&](const Alias& alias) {
        if (alias.output != i || alias.must || !backend_.runs_in_place(node, alias)) return false;
        const Value operand = node.inputs.at(at(alias.input));
        const auto read = operand ? result_.columns.find({operand.node, operand.output}) : result_.columns.end();
        return read != result_.columns.end() && read->second.first == made->second.first && read->second.stride == whole.stride &&
               std::ranges::count(node.inputs, operand) == 1 && operand.type() == node.outputs[at(i)];
      });
      if (over == aliases.end()) return -1;
      const Value operand = node.inputs[at(over->input)];
      const std::int32_t buffer = result_.buffer_of[at(operand.node)][at(operand.output)];
      if (buffer < 0 || result_.buffers[at(buffer)].last != n || (found >= 0 && found != buffer)) return -1;
      found = buffer;
      columns += node.outputs[at(i)].width();
    }
    return columns == whole.stride ? found : -1;
  }

  /// Buffer of an operand that output `i` of node `n` may have, or -1; kLeafMemory for an update of a leaf.
  std::int32_t take_over(std::int32_t n, std::int32_t i, std::int64_t bytes, const std::vector<Alias>& aliases) {
    const Node& node = graph_.node(n);
    for (const auto& alias : aliases) {
      if (alias.output != i || at(alias.input) >= node.inputs.size() || !node.inputs[at(alias.input)]) continue;
      const Value operand = node.inputs[at(alias.input)];
      const std::int32_t buffer = result_.buffer_of[at(operand.node)][at(operand.output)];
      if (alias.must) return buffer < 0 ? kLeafMemory : buffer;
      if (!backend_.runs_in_place(node, alias)) continue;
      if (result_.columns.contains({operand.node, operand.output})) continue;
      if (buffer < 0 || result_.buffers[at(buffer)].bytes != bytes || result_.buffers[at(buffer)].last != n) continue;
      if (std::ranges::count(node.inputs, operand) > 1 || taken(n, i, buffer)) continue;
      return buffer;
    }
    return -1;
  }

  /// Has another output of the node the buffer already?
  [[nodiscard]] bool taken(std::int32_t n, std::int32_t i, std::int32_t buffer) const {
    const auto& placed = result_.buffer_of[at(n)];
    return std::find(placed.begin(), placed.begin() + i, buffer) != placed.begin() + i;
  }

  void measure() {
    std::vector<std::int64_t> change(graph_.nodes().size() + 2, 0);
    for (const auto& buffer : result_.buffers) {
      change[at(buffer.first)] += buffer.bytes;
      change[at(buffer.last) + 1] -= buffer.bytes;
    }
    std::int64_t alive = 0;
    for (std::size_t step = 0; step < change.size(); ++step) {
      alive += change[step];
      if (alive > result_.lower_bound) {
        result_.lower_bound = alive;
        result_.peak_step = static_cast<std::int32_t>(step);
      }
    }
  }

  static constexpr std::int32_t kLeafMemory = -2;

  const Graph& graph_;
  const Backend& backend_;
  std::vector<std::vector<bool>> used_;
  std::vector<std::vector<std::int32_t>> last_use_;
  Liveness result_;
};

}  // namespace

Liveness analyse_liveness(const Graph& graph, const Backend& backend) { return Analysis(graph, backend).run(); }

}  // namespace preamble
