#include "engine/compile/rematerialise.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/compile/fuse.h"
#include "engine/compile/liveness.h"
#include "engine/compile/rewrite.h"
#include "engine/compile/schedule.h"
#include "engine/core/error.h"
#include "engine/graph/op.h"

namespace preamble {
namespace {

/// (node, output) of a value.
using Key = std::pair<std::int32_t, std::int32_t>;
using Keys = std::set<Key>;

Key key(Value value) noexcept { return {value.node, value.output}; }

bool is_forward(const Graph& graph, Value value) {
  const Node& node = graph.node(value);
  return node.op != nullptr && node.phase == Phase::forward;
}

/// Forward values that the backward pass reads.
Keys saved_values(const Graph& graph) {
  Keys saved;
  for (const auto& node : graph.nodes()) {
    if (node.phase == Phase::forward) continue;
    for (const auto& input : node.inputs) {
      if (input && is_forward(graph, input)) saved.insert(key(input));
    }
  }
  return saved;
}

/// Copies the graph; backward nodes read `kept` values directly and all other forward values through copies of their
/// producers, made where they are first needed.
class Recomputer {
 public:
  Recomputer(const Graph& graph, const Keys& kept) : graph_(graph), kept_(kept), rewriter_(graph) {}

  Graph run() {
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Node& node = graph_.node(n);
      if (node.op && node.phase == Phase::forward) rewriter_.copy(n);
    }
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Node& node = graph_.node(n);
      if (!node.op || node.phase == Phase::forward) continue;
      const Value first = rewriter_.graph().append(node, inputs_of(node));
      for (std::int32_t i = 0; i < static_cast<std::int32_t>(node.outputs.size()); ++i) {
        rewriter_.replace({const_cast<Graph*>(&graph_), n, i}, {first.graph, first.node, i});
      }
    }
    return eliminate_dead(rewriter_.finish());
  }

 private:
  std::vector<Value> inputs_of(const Node& node) {
    std::vector<Value> inputs;
    for (const auto& input : node.inputs) {
      inputs.push_back(input && is_forward(graph_, input) ? recomputed(input) : rewriter_(input));
    }
    return inputs;
  }

  Value recomputed(Value value) {
    if (kept_.contains(key(value))) return rewriter_(value);
    const auto found = clones_.find(value.node);
    std::int32_t clone = found == clones_.end() ? -1 : found->second;
    if (clone < 0) {
      Node node = graph_.node(value);
      auto inputs = inputs_of(node);
      node.phase = Phase::recompute;
      clone = rewriter_.graph().append(node, std::move(inputs)).node;
      clones_[value.node] = clone;
    }
    return {&rewriter_.graph(), clone, value.output};
  }

  const Graph& graph_;
  const Keys& kept_;
  Rewriter rewriter_;
  std::map<std::int32_t, std::int32_t> clones_;
};

struct Candidate {
  Graph graph;
  std::int64_t peak = std::numeric_limits<std::int64_t>::max();
  double flops = 0;
};

Candidate evaluate(const Graph& graph, const Keys& kept) {
  Candidate candidate{Recomputer(graph, kept).run()};
  candidate.peak = analyse_liveness(schedule(fuse_sums(candidate.graph))).lower_bound;
  candidate.flops = flops_of(candidate.graph);
  return candidate;
}

/// (a): without the results of cheap ops whose operands are saved or leaves.
Keys without_cheap(const Graph& graph, const Keys& saved) {
  Keys kept = saved;
  for (const auto& value : saved) {
    const Node& node = graph.node(value.first);
    const bool free = node.op->cheap() && std::ranges::all_of(node.inputs, [&](Value input) {
      return !input || graph.node(input).op == nullptr || kept.contains(key(input));
    });
    if (free) kept.erase(value);
  }
  return kept;
}

/// Operations per byte of computing a kept value again, from the other kept values.
double price(const Graph& graph, const Keys& kept, Key value, const std::vector<std::vector<bool>>& used) {
  double flops = 0;
  std::set<std::int32_t> seen;
  std::vector<std::int32_t> open = {value.first};
  while (!open.empty()) {
    const std::int32_t n = open.back();
    open.pop_back();
    if (!seen.insert(n).second) continue;
    flops += flops_of(graph, n, used[static_cast<std::size_t>(n)]);
    for (const auto& input : graph.node(n).inputs) {
      if (input && graph.node(input).op && !kept.contains(key(input))) open.push_back(input.node);
    }
  }
  return flops / static_cast<double>(graph.bytes(graph.node(value.first).outputs[static_cast<std::size_t>(value.second)]));
}

/// (b): drops the cheapest values first, in steps.
void add_partial(const Graph& graph, const Keys& base, std::vector<Keys>& candidates) {
  constexpr std::size_t kSteps = 16;
  const auto used = used_outputs(graph);
  std::vector<std::pair<double, Key>> prices;
  for (const auto& value : base) prices.emplace_back(price(graph, base, value, used), value);
  std::ranges::sort(prices);
  for (std::size_t step = 1; step <= kSteps; ++step) {
    Keys kept = base;
    for (std::size_t i = 0; i < prices.size() * step / kSteps; ++i) kept.erase(prices[i].second);
    candidates.push_back(std::move(kept));
  }
}

/// Forward values that are alive after each node: made at or before it and read by a later forward node.
class Crossings {
 public:
  explicit Crossings(const Graph& graph) : graph_(graph) {
    std::map<Key, std::int32_t> last;
    for (std::int32_t n = 0; n < graph.size(); ++n) {
      if (graph.node(n).phase != Phase::forward) continue;
      for (const auto& input : graph.node(n).inputs) {
        if (input && is_forward(graph, input)) last[key(input)] = n;
      }
    }
    intervals_.assign(last.begin(), last.end());
  }

  [[nodiscard]] Keys at(std::int32_t position) const {
    Keys alive;
    for (const auto& [value, last] : intervals_) {
      if (value.first <= position && position < last) alive.insert(value);
    }
    return alive;
  }

  [[nodiscard]] std::int64_t bytes(std::int32_t position) const {
    std::int64_t sum = 0;
    for (const auto& [value, last] : intervals_) {
      if (value.first <= position && position < last) {
        sum += graph_.bytes(graph_.node(value.first).outputs[static_cast<std::size_t>(value.second)]);
      }
    }
    return sum;
  }

 private:
  const Graph& graph_;
  std::vector<std::pair<Key, std::int32_t>> intervals_;
};

/// Places in the forward pass where less is alive than on both sides.
std::vector<std::int32_t> narrow_places(const Graph& graph, const Crossings& crossings) {
  std::vector<std::int32_t> nodes;
  std::vector<std::int64_t> bytes;
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    if (!graph.node(n).op || graph.node(n).phase != Phase::forward) continue;
    nodes.push_back(n);
    bytes.push_back(crossings.bytes(n));
  }
  std::vector<std::int32_t> places;
  for (std::size_t i = 1; i + 1 < nodes.size(); ++i) {
    if (bytes[i] > 0 && bytes[i] < bytes[i - 1] && bytes[i] <= bytes[i + 1]) places.push_back(nodes[i]);
  }
  return places;
}

/// (c): keeps what crosses every g-th narrow place, and what the last stretch saves, since it is read at once.
void add_segmented(const Graph& graph, const Keys& saved, std::vector<Keys>& candidates) {
  const Crossings crossings(graph);
  const auto places = narrow_places(graph, crossings);
  for (std::size_t stride = 1; stride <= places.size(); stride = stride < 4 ? stride + 1 : stride * 3 / 2) {
    for (std::size_t phase = 0; phase < stride && phase < 4; ++phase) {
      Keys kept;
      std::int32_t last = -1;
      for (std::size_t i = places.size(); i > phase; i -= std::min(i, stride)) {
        const std::int32_t place = places[i - 1 - phase];
        kept.merge(crossings.at(place));
        last = std::max(last, place);
        if (i <= stride) break;
      }
      for (const auto& value : saved) {
        if (value.first > last) kept.insert(value);
      }
      candidates.push_back(std::move(kept));
    }
  }
}

}  // namespace

Budget Budget::parse(const std::string& text) {
  if (text == "none") return none();
  if (text == "min") return smallest();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string suffix(end, text.data() + text.size());
  const std::map<std::string, int> shifts = {{"", 0}, {"K", 10}, {"M", 20}, {"G", 30}};
  const auto shift = shifts.find(suffix);
  require<ConfigError>(error == std::errc() && number > 0 && shift != shifts.end() && number <= std::numeric_limits<std::int64_t>::max() >> 30,
                       "memory budget: '{}' was given; wanted none, min, or bytes such as 800000000, 512M, 2G", text);
  return bytes(number << shift->second);
}

Graph rematerialise(const Graph& graph, Budget budget) {
  const Keys saved = saved_values(graph);
  const Keys base = without_cheap(graph, saved);
  if (budget.kind == Budget::Kind::none) return Recomputer(graph, base).run();
  Candidate best = evaluate(graph, base);
  if (budget.kind == Budget::Kind::bytes && best.peak <= budget.limit) return std::move(best.graph);
  std::vector<Keys> candidates;
  add_partial(graph, base, candidates);
  add_segmented(graph, saved, candidates);
  const auto better = [&](const Candidate& a, const Candidate& b) {
    const bool fits_a = budget.kind == Budget::Kind::bytes && a.peak <= budget.limit;
    const bool fits_b = budget.kind == Budget::Kind::bytes && b.peak <= budget.limit;
    if (fits_a != fits_b) return fits_a;
    return fits_a ? std::pair(a.flops, a.peak) < std::pair(b.flops, b.peak) : std::pair(a.peak, a.flops) < std::pair(b.peak, b.flops);
  };
  for (const auto& kept : candidates) {
    Candidate candidate = evaluate(graph, kept);
    if (better(candidate, best)) best = std::move(candidate);
  }
  require<ConfigError>(budget.kind != Budget::Kind::bytes || best.peak <= budget.limit,
                       "memory budget: {} bytes were given; the smallest peak for this program and these capacities is {} bytes", budget.limit,
                       best.peak);
  return std::move(best.graph);
}

}  // namespace preamble
