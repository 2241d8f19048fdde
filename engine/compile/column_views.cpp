#include "engine/compile/column_views.h"

#include <algorithm>
#include <vector>

#include "engine/graph/op.h"
#include "engine/ops/split_columns.h"

namespace preamble {
namespace {

std::size_t at(std::int32_t i) noexcept { return static_cast<std::size_t>(i); }

class ColumnSearch {
 public:
  ColumnSearch(const Graph& graph, const Backend& backend) : graph_(graph), backend_(backend) {}

  ColumnViews run() {
    std::vector<std::int32_t> splits, joins;
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Op* op = graph_.node(n).op.get();
      if (const auto* split = dynamic_cast<const SplitColumns*>(op); split != nullptr && split->groups == 1) splits.push_back(n);
      if (const auto* join = dynamic_cast<const JoinColumns*>(op); join != nullptr && join->groups == 1) joins.push_back(n);
    }
    if (splits.empty() && joins.empty()) return {};
    note_readers();
    for (const auto n : splits) take_apart(n);
    for (const auto n : joins) put_together(n);
    return std::move(views_);
  }

 private:
  /// Who reads a value.
  struct Readers {
    int count = 0;
    std::int32_t last = -1;
    bool read_columns = true;  ///< all of them, where they find the value
    bool is_result = false;
  };

  Readers& readers(Value value) { return readers_[at(value.node)][at(value.output)]; }

  void note_readers() {
    for (const auto& node : graph_.nodes()) readers_.emplace_back(node.outputs.size());
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Node& node = graph_.node(n);
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (!node.inputs[i]) continue;
        Readers& all = readers(node.inputs[i]);
        ++all.count;
        all.last = n;
        all.read_columns = all.read_columns && backend_.reads_columns(node, i);
      }
    }
    for (const auto& [name, value] : graph_.outputs()) readers(value).is_result = true;
  }

  /// Lets `parts` lie side by side in `whole`, unless they would not be aligned.
  void place(const std::vector<Value>& parts, Value whole) {
    const Type& type = whole.type();
    const auto size = static_cast<std::int64_t>(size_of(type.dtype));
    const auto aligned = [&](const Value& part) { return part.type().width() * size % kColumnAlignment == 0; };
    if (!type.has_rows() || !std::ranges::all_of(parts, aligned)) return;
    std::int64_t first = 0;
    for (const auto& part : parts) {
      views_[{part.node, part.output}] = {whole.node, whole.output, first, type.width()};
      first += part.type().width();
    }
  }

  void take_apart(std::int32_t n) {
    const Node& node = graph_.node(n);
    const Value whole = node.inputs[0];
    if (!graph_.node(whole).op) return;
    std::vector<Value> parts;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(node.outputs.size()); ++i) parts.push_back({whole.graph, n, i});
    const std::int32_t last = readers(parts.front()).last;
    const bool fits = std::ranges::all_of(parts, [&](Value part) {
      const Readers& all = readers(part);
      return all.count > 0 && all.last == last && all.read_columns && !all.is_result;
    });
    if (fits) place(parts, whole);
  }

  void put_together(std::int32_t n) {
    const Node& node = graph_.node(n);
    const Value whole{const_cast<Graph*>(&graph_), n, 0};
    const Readers& wanted = readers(whole);
    if (wanted.count == 0 && !wanted.is_result) return;
    const bool fits = std::ranges::all_of(node.inputs, [&](Value part) {
      if (!part || part.node != node.inputs.front().node || !graph_.node(part).op) return false;
      const Readers& all = readers(part);
      return all.count == 1 && !all.is_result && backend_.writes_columns(graph_.node(part), at(part.output));
    });
    if (fits && node.inputs.size() > 1) place(node.inputs, whole);
  }

  const Graph& graph_;
  const Backend& backend_;
  std::vector<std::vector<Readers>> readers_;
  ColumnViews views_;
};

}  // namespace

ColumnViews column_views(const Graph& graph, const Backend& backend) { return ColumnSearch(graph, backend).run(); }

}  // namespace preamble
