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
#include "engine/compile/plan_memory.h"
#include "engine/compile/rewrite.h"
#include "engine/compile/schedule.h"
#include "engine/core/error.h"
#include "engine/core/parallel.h"
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

/// What a candidate keeps, and how it recomputes the rest.
struct Choice {
  Keys kept;
  /// Recomputed values that live until their last reader. Empty: all of them do; else the others are made anew for each
  /// backward node that reads them, from these and the kept ones.
  Keys lasting;
};

/// Copies the graph; backward nodes read kept values directly and all other forward values through copies of their
/// producers, made where they are needed.
class Recomputer {
 public:
  Recomputer(const Graph& graph, const Choice& choice) : graph_(graph), choice_(choice), rewriter_(graph) {}

  Graph run() {
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Node& node = graph_.node(n);
      if (node.op && node.phase == Phase::forward) rewriter_.copy(n);
    }
    for (std::int32_t n = 0; n < graph_.size(); ++n) {
      const Node& node = graph_.node(n);
      if (!node.op || node.phase == Phase::forward) continue;
      if (!choice_.lasting.empty()) fresh_.clear();
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
    if (choice_.kept.contains(key(value))) return rewriter_(value);
    const bool lasts = choice_.lasting.empty() || choice_.lasting.contains(key(value));
    for (auto* clones : {&fresh_, lasts ? &first_ : nullptr}) {
      if (clones == nullptr) continue;
      if (const auto found = clones->find(value.node); found != clones->end()) return {&rewriter_.graph(), found->second, value.output};
    }
    Node node = graph_.node(value);
    auto inputs = inputs_of(node);
    node.phase = Phase::recompute;
    const std::int32_t clone = rewriter_.graph().append(node, std::move(inputs)).node;
    fresh_[value.node] = clone;
    first_.try_emplace(value.node, clone);
    return {&rewriter_.graph(), clone, value.output};
  }

  const Graph& graph_;
  const Choice& choice_;
  Rewriter rewriter_;
  std::map<std::int32_t, std::int32_t> fresh_;  ///< made for the present backward node
  std::map<std::int32_t, std::int32_t> first_;  ///< made first of all
};

/// A choice and what its program would take; the graph itself is made again for the one that is taken.
struct Candidate {
  Choice choice;
  std::int64_t peak = std::numeric_limits<std::int64_t>::max();
  double flops = 0;
};

/// `min` takes the fewest operations among candidates whose run needs at most one part in so many more than the smallest.
constexpr std::int64_t kIndifference = 80;

/// What the passes behind this one make of a graph.
Liveness liveness_of(const Graph& graph, const Backend& backend) {
  Graph fused = fuse_sums(graph);
  if (backend.policy().fuse_feed_forward) fused = fuse_feed_forward(fused);
  return analyse_liveness(schedule(fused), backend);
}

std::int64_t arena_bytes(const Graph& graph, const Backend& backend) {
  const Liveness liveness = liveness_of(graph, backend);
  return plan_memory(liveness.buffers, liveness.lower_bound).arena_bytes;
}

Candidate evaluate(const Graph& graph, const Backend& backend, Choice choice) {
  const Graph made = Recomputer(graph, choice).run();
  return {std::move(choice), liveness_of(made, backend).lower_bound, flops_of(made)};
}

/// All of them, in their order.
std::vector<Candidate> evaluate_all(const Graph& graph, const Backend& backend, std::vector<Choice> choices) {
  std::vector<Candidate> candidates(choices.size());
  parallel_for(static_cast<std::int64_t>(choices.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) candidates[i] = evaluate(graph, backend, std::move(choices[i]));
  });
  return candidates;
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

/// Kept values, those that cost the fewest operations per byte first.
std::vector<std::pair<double, Key>> by_price(const Graph& graph, const Keys& kept) {
  const auto used = used_outputs(graph);
  std::vector<std::pair<double, Key>> prices;
  for (const auto& value : kept) prices.emplace_back(price(graph, kept, value, used), value);
  std::ranges::sort(prices);
  return prices;
}

/// Bytes of leaves in a training run: a trained parameter has two moments besides (AdamW).
std::int64_t leaf_bytes(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const auto& node : graph.nodes()) {
    if (!node.op && node.role != Role::input) bytes += static_cast<std::int64_t>(node.tensor.bytes()) * (node.role == Role::trainable ? 3 : 1);
  }
  return bytes;
}

/// Drops the cheapest values while all of it costs at most a few percent more operations, and saves at least as many
/// percent of the run's memory as it costs of its operations. The smallest peak among a few such choices.
Graph nearly_free(const Graph& graph, const Backend& backend, const Keys& base) {
  constexpr double kShare = 0.05;
  constexpr std::size_t kChoices = 16;
  const auto prices = by_price(graph, base);
  Candidate best = evaluate(graph, backend, {base, {}});
  const double operations = best.flops;
  const auto first_peak = static_cast<double>(best.peak);
  const double memory = first_peak + static_cast<double>(leaf_bytes(graph));
  const auto without = [&](std::size_t count) {
    Keys kept = base;
    for (std::size_t i = 0; i < count; ++i) kept.erase(prices[i].second);
    return evaluate(graph, backend, {kept, {}});
  };
  std::size_t fits = 0;
  std::size_t beyond = prices.size() + 1;
  while (fits + 1 < beyond) {
    const std::size_t middle = (fits + beyond) / 2;
    (without(middle).flops <= operations * (1 + kShare) ? fits : beyond) = middle;
  }
  for (std::size_t choice = 1; choice <= kChoices; ++choice) {
    Candidate candidate = without(fits * choice / kChoices);
    const double saved = (first_peak - static_cast<double>(candidate.peak)) / memory;
    if (candidate.peak < best.peak && saved >= candidate.flops / operations - 1) best = std::move(candidate);
  }
  return Recomputer(graph, best.choice).run();
}

/// (b): drops the cheapest values first, in steps.
void add_partial(const Graph& graph, const Keys& base, std::vector<Choice>& candidates) {
  constexpr std::size_t kSteps = 16;
  const auto prices = by_price(graph, base);
  for (std::size_t step = 1; step <= kSteps; ++step) {
    Keys kept = base;
    for (std::size_t i = 0; i < prices.size() * step / kSteps; ++i) kept.erase(prices[i].second);
    candidates.push_back({std::move(kept), {}});
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

/// Per node: do its values come from leaves through cheap ops alone?
std::vector<bool> cheap_from_leaves(const Graph& graph) {
  std::vector<bool> cheap;
  cheap.reserve(graph.nodes().size());
  for (const auto& node : graph.nodes()) {
    cheap.push_back(!node.op || (node.op->cheap() && std::ranges::all_of(node.inputs, [&](Value input) {
      return !input || cheap[static_cast<std::size_t>(input.node)];
    })));
  }
  return cheap;
}

/// Values at narrow places, and those so small that it does not pay to make them twice.
Keys lasting_values(const Graph& graph, const Crossings& crossings, const std::vector<std::int32_t>& places) {
  constexpr std::int64_t kSmall = 8;
  Keys lasting;
  std::int64_t narrowest = std::numeric_limits<std::int64_t>::max();
  for (const auto place : places) {
    lasting.merge(crossings.at(place));
    narrowest = std::min(narrowest, crossings.bytes(place));
  }
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(graph.node(n).outputs.size()); ++i) {
      if (graph.bytes(graph.node(n).outputs[static_cast<std::size_t>(i)]) * kSmall < narrowest) lasting.insert({n, i});
    }
  }
  return lasting;
}

/// (c): keeps what crosses every g-th narrow place, and what the last stretch saves, since it is read at once. With and
/// without making values anew for each of their readers.
void add_segmented(const Graph& graph, const Keys& saved, std::vector<Choice>& candidates) {
  const Crossings crossings(graph);
  const auto places = narrow_places(graph, crossings);
  if (places.empty()) return;
  const Keys lasting = lasting_values(graph, crossings, places);
  const std::vector<bool> cheap = cheap_from_leaves(graph);
  for (std::size_t stride = 1; stride <= places.size(); stride = stride < 8 ? stride + 1 : stride * 3 / 2) {
    for (std::size_t phase = 0; phase < stride && phase < 2; ++phase) {
      Keys kept;
      std::int32_t last = -1;
      for (std::size_t i = places.size(); i > phase; i -= std::min(i, stride)) {
        const std::int32_t place = places[i - 1 - phase];
        kept.merge(crossings.at(place));
        last = std::max(last, place);
        if (i <= stride) break;
      }
      std::erase_if(kept, [&](const Key& value) { return cheap[static_cast<std::size_t>(value.first)]; });
      for (const auto& value : saved) {
        if (value.first > last) kept.insert(value);
      }
      candidates.push_back({kept, {}});
      candidates.push_back({std::move(kept), lasting});
    }
  }
}

}  // namespace

Budget Budget::parse(const std::string& text) {
  if (text == "none") return none();
  if (text == "auto") return automatic();
  if (text == "min") return smallest();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string suffix(end, text.data() + text.size());
  const std::map<std::string, int> shifts = {{"", 0}, {"K", 10}, {"M", 20}, {"G", 30}};
  const auto shift = shifts.find(suffix);
  require<ConfigError>(error == std::errc() && number > 0 && shift != shifts.end() && number <= std::numeric_limits<std::int64_t>::max() >> 30,
                       "memory budget: '{}' was given; wanted auto, none, min, or bytes such as 800000000, 512M, 2G", text);
  return bytes(number << shift->second);
}

Graph rematerialise(const Graph& graph, Budget budget, const Backend& backend) {
  const Keys saved = saved_values(graph);
  const Keys base = without_cheap(graph, saved);
  if (budget.kind == Budget::Kind::none) return Recomputer(graph, {saved, {}}).run();
  if (budget.kind == Budget::Kind::automatic) return nearly_free(graph, backend, base);
  std::vector<Choice> choices = {{base, {}}};
  add_partial(graph, base, choices);
  add_segmented(graph, saved, choices);
  std::vector<Candidate> candidates = evaluate_all(graph, backend, std::move(choices));
  std::ranges::sort(candidates, {}, [](const Candidate& c) { return std::pair(c.peak, c.flops); });
  const std::int64_t smallest = candidates.front().peak;
  const Choice smallest_choice = candidates.front().choice;
  const std::int64_t limit = budget.kind == Budget::Kind::bytes ? budget.limit : smallest + (smallest + leaf_bytes(graph)) / kIndifference;
  // the arena can be larger than the largest sum of live bytes, by what lies idle between buffers
  std::ranges::stable_sort(candidates, {}, &Candidate::flops);
  for (const auto& candidate : candidates) {
    if (candidate.peak > limit) continue;
    Graph made = Recomputer(graph, candidate.choice).run();
    if (budget.kind != Budget::Kind::bytes || arena_bytes(made, backend) <= limit) return made;
  }
  raise<ConfigError>("memory budget: {} bytes were given; the smallest peak for this program and these capacities is {} bytes", budget.limit,
                     arena_bytes(Recomputer(graph, smallest_choice).run(), backend));
}

}  // namespace preamble
