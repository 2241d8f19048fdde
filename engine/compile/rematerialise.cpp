#include "engine/compile/rematerialise.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/compile/fuse.h"
#include "engine/compile/kept_forms.h"
#include "engine/compile/liveness.h"
#include "engine/compile/plan_memory.h"
#include "engine/compile/recompute.h"
#include "engine/compile/rewrite.h"
#include "engine/compile/schedule.h"
#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/graph/op.h"

namespace preamble {
namespace {

/// Forward values that the backward pass reads. Parts of a wider value that lie in it are kept or made again with it.
ValueKeys saved_values(const Graph& graph, const Backend& backend) {
  const ColumnViews columns = column_views(graph, backend);
  ValueKeys saved;
  for (const auto& node : graph.nodes()) {
    if (node.phase == Phase::forward) continue;
    for (const auto& input : node.inputs) {
      if (!input || !is_forward(graph, input)) continue;
      const auto part = columns.find(key_of(input));
      const bool lies_in_operand = part != columns.end() && part->second.node < input.node;
      saved.insert(lies_in_operand ? ValueKey{part->second.node, part->second.output} : key_of(input));
    }
  }
  return saved;
}

/// A choice and what its program would take; the graph itself is made again for the one that is taken.
struct Candidate {
  Recomputation choice;
  std::int64_t peak = std::numeric_limits<std::int64_t>::max();
  double work = 0;  ///< `Backend::work`
};

/// `min` takes the fewest operations among candidates whose run needs at most one part in so many more than the smallest.
constexpr std::int64_t kIndifference = 80;

/// What the passes behind this one make of a graph.
Liveness liveness_of(const Graph& graph, const Backend& backend) {
  Graph fused = fuse_sums(graph);
  if (backend.policy().fuse_feed_forward) fused = fuse_feed_forward(fused);
  if (backend.policy().fuse_slopes) fused = fuse_slopes(fused);
  return analyse_liveness(schedule(fused), backend);
}

std::int64_t arena_bytes(const Graph& graph, const Backend& backend) {
  const Liveness liveness = liveness_of(graph, backend);
  return plan_memory(liveness.buffers, liveness.lower_bound).arena_bytes;
}

Candidate evaluate(const Graph& graph, const Backend& backend, Recomputation choice) {
  const Graph made = recompute(graph, choice);
  return {std::move(choice), liveness_of(made, backend).lower_bound, work_of(made, backend)};
}

/// All of them, in their order.
std::vector<Candidate> evaluate_all(const Graph& graph, const Backend& backend, std::vector<Recomputation> choices) {
  std::vector<Candidate> candidates(choices.size());
  parallel_for(static_cast<std::int64_t>(choices.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      candidates[i] = evaluate(graph, backend, std::move(choices[i]));
  });
  return candidates;
}

/// (a): without the results of cheap ops whose operands are saved or leaves.
ValueKeys without_cheap(const Graph& graph, const ValueKeys& saved) {
  ValueKeys kept = saved;
  for (const auto& value : saved) {
    const Node& node = graph.node(value.first);
    const bool free = node.op->cheap() && std::ranges::all_of(node.inputs, [&](Value input) {
                        return !input || graph.node(input).op == nullptr || kept.contains(key_of(input));
                      });
    if (free) kept.erase(value);
  }
  return kept;
}

/// Operations per byte of computing a kept value again, from the other kept values.
double price(const Graph& graph, const Backend& backend, const ValueKeys& kept, ValueKey value, const std::vector<std::vector<bool>>& used) {
  double work = 0;
  std::set<std::int32_t> seen;
  std::vector<std::int32_t> open = {value.first};
  while (!open.empty()) {
    const std::int32_t n = open.back();
    open.pop_back();
    if (!seen.insert(n).second) continue;
    work += work_of(graph, n, used[static_cast<std::size_t>(n)], backend);
    for (const auto& input : graph.node(n).inputs) {
      if (input && graph.node(input).op && !kept.contains(key_of(input))) open.push_back(input.node);
    }
  }
  return work / static_cast<double>(graph.bytes(graph.node(value.first).outputs[static_cast<std::size_t>(value.second)]));
}

/// Kept values, those that cost the fewest operations per byte first.
std::vector<std::pair<double, ValueKey>> by_price(const Graph& graph, const Backend& backend, const ValueKeys& kept) {
  const auto used = used_outputs(graph);
  std::vector<std::pair<double, ValueKey>> prices;
  for (const auto& value : kept) prices.emplace_back(price(graph, backend, kept, value, used), value);
  std::ranges::sort(prices);
  return prices;
}

/// Bytes of leaves in a training run: a trained parameter has two moments besides (AdamW).
std::int64_t leaf_bytes(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const auto& node : graph.nodes()) {
    if (!node.op && node.role != Role::input)
      bytes += static_cast<std::int64_t>(node.tensor.bytes()) * (node.role == Role::trainable ? 3 : 1);
  }
  return bytes;
}

/// Drops the cheapest values while all of it costs at most a few percent more operations, and saves at least as many
/// percent of the run's memory as it costs of its operations. The smallest peak among a few such choices.
Candidate nearly_free(const Graph& graph, const Backend& backend, const ValueKeys& base) {
  constexpr double kShare = 0.05;
  constexpr std::size_t kChoices = 16;
  const auto prices = by_price(graph, backend, base);
  Candidate best = evaluate(graph, backend, {base, {}});
  const double operations = best.work;
  const auto first_peak = static_cast<double>(best.peak);
  const double memory = first_peak + static_cast<double>(leaf_bytes(graph));
  const auto without = [&](std::size_t count) {
    ValueKeys kept = base;
    for (std::size_t i = 0; i < count; ++i) kept.erase(prices[i].second);
    return evaluate(graph, backend, {kept, {}});
  };
  std::size_t fits = 0;
  std::size_t beyond = prices.size() + 1;
  while (fits + 1 < beyond) {
    const std::size_t middle = (fits + beyond) / 2;
    (without(middle).work <= operations * (1 + kShare) ? fits : beyond) = middle;
  }
  for (std::size_t choice = 1; choice <= kChoices; ++choice) {
    Candidate candidate = without(fits * choice / kChoices);
    const double saved = (first_peak - static_cast<double>(candidate.peak)) / memory;
    if (candidate.peak < best.peak && saved >= candidate.work / operations - 1) best = std::move(candidate);
  }
  return best;
}

/// The same choice with its kept values packed.
Recomputation with_forms(const Graph& graph, Recomputation choice, KeptForm form) {
  choice.forms = reduced_forms(graph, choice.kept, form);
  return choice;
}

/// The same, where that takes less memory.
Candidate packed_where_smaller(const Graph& graph, const Backend& backend, Candidate best, KeptForm form) {
  if (form == KeptForm::exact) return best;
  Candidate packed = evaluate(graph, backend, with_forms(graph, best.choice, form));
  return packed.peak < best.peak ? packed : best;
}

/// (b): drops the cheapest values first, in steps.
void add_partial(const Graph& graph, const Backend& backend, const ValueKeys& base, std::vector<Recomputation>& candidates) {
  constexpr std::size_t kSteps = 16;
  const auto prices = by_price(graph, backend, base);
  for (std::size_t step = 1; step <= kSteps; ++step) {
    ValueKeys kept = base;
    for (std::size_t i = 0; i < prices.size() * step / kSteps; ++i) kept.erase(prices[i].second);
    candidates.push_back({std::move(kept), {}});
  }
}

/// Forward values that are alive after each node: made at or before it and read by a later forward node.
class Crossings {
 public:
  explicit Crossings(const Graph& graph) : graph_(graph) {
    std::map<ValueKey, std::int32_t> last;
    for (std::int32_t n = 0; n < graph.size(); ++n) {
      if (graph.node(n).phase != Phase::forward) continue;
      for (const auto& input : graph.node(n).inputs) {
        if (input && is_forward(graph, input)) last[key_of(input)] = n;
      }
    }
    intervals_.assign(last.begin(), last.end());
  }

  [[nodiscard]] ValueKeys at(std::int32_t position) const {
    ValueKeys alive;
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
  std::vector<std::pair<ValueKey, std::int32_t>> intervals_;
};

/// Nodes of the forward pass at which less is alive than on both sides.
std::vector<std::int32_t> narrow_nodes(const Graph& graph, const Crossings& crossings) {
  std::vector<std::int32_t> nodes;
  std::vector<std::int64_t> bytes;
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    if (!graph.node(n).op || graph.node(n).phase != Phase::forward) continue;
    nodes.push_back(n);
    bytes.push_back(crossings.bytes(n));
  }
  std::vector<std::int32_t> narrow;
  for (std::size_t i = 1; i + 1 < nodes.size(); ++i) {
    if (bytes[i] > 0 && bytes[i] < bytes[i - 1] && bytes[i] <= bytes[i + 1]) narrow.push_back(nodes[i]);
  }
  return narrow;
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

/// Values that are alive at narrow nodes, and those so small that it does not pay to make them twice.
ValueKeys lasting_values(const Graph& graph, const Crossings& crossings, const std::vector<std::int32_t>& narrow) {
  constexpr std::int64_t kSmall = 8;
  ValueKeys lasting;
  std::int64_t narrowest = std::numeric_limits<std::int64_t>::max();
  for (const auto node : narrow) {
    lasting.merge(crossings.at(node));
    narrowest = std::min(narrowest, crossings.bytes(node));
  }
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(graph.node(n).outputs.size()); ++i) {
      if (graph.bytes(graph.node(n).outputs[static_cast<std::size_t>(i)]) * kSmall < narrowest) lasting.insert({n, i});
    }
  }
  return lasting;
}

/// (c): keeps what crosses every g-th narrow node, and what the last stretch saves, since it is read at once. With and
/// without making values anew for each of their readers.
void add_segmented(const Graph& graph, const ValueKeys& saved, std::vector<Recomputation>& candidates) {
  const Crossings crossings(graph);
  const auto narrow = narrow_nodes(graph, crossings);
  if (narrow.empty()) return;
  const ValueKeys lasting = lasting_values(graph, crossings, narrow);
  const std::vector<bool> cheap = cheap_from_leaves(graph);
  for (std::size_t stride = 1; stride <= narrow.size(); stride = stride < 8 ? stride + 1 : stride * 3 / 2) {
    for (std::size_t phase = 0; phase < stride && phase < 2; ++phase) {
      ValueKeys kept;
      std::int32_t last = -1;
      for (std::size_t i = narrow.size(); i > phase; i -= std::min(i, stride)) {
        const std::int32_t node = narrow[i - 1 - phase];
        kept.merge(crossings.at(node));
        last = std::max(last, node);
        if (i <= stride) break;
      }
      std::erase_if(kept, [&](const ValueKey& value) { return cheap[static_cast<std::size_t>(value.first)]; });
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
  require<ConfigError>(
      error == std::errc() && number > 0 && shift != shifts.end() && number <= std::numeric_limits<std::int64_t>::max() >> 30,
      "memory budget: '{}' was given; wanted auto, none, min, or bytes such as 800000000, 512M, 2G", text);
  return Budget::bytes(number << shift->second);
}

Budget Budget::parse(const std::string& text, const std::string& kept) {
  Budget budget = parse(text);
  const std::map<std::string, KeptForm> forms = {{"exact", KeptForm::exact}, {"bf16", KeptForm::bf16}, {"int8", KeptForm::int8}};
  const auto form = forms.find(kept);
  require<ConfigError>(form != forms.end(), "kept values: '{}' was given; wanted exact, bf16 or int8", kept);
  budget.kept = form->second;
  return budget;
}

Graph rematerialise(const Graph& graph, Budget budget, const Backend& backend) {
  const ValueKeys saved = saved_values(graph, backend);
  const ValueKeys base = without_cheap(graph, saved);
  if (budget.kind == Budget::Kind::none) return recompute(graph, with_forms(graph, {saved, {}}, budget.kept));
  if (budget.kind == Budget::Kind::automatic) {
    const Candidate best = packed_where_smaller(graph, backend, nearly_free(graph, backend, base), budget.kept);
    return recompute(graph, best.choice);
  }
  std::vector<Recomputation> choices = {{base, {}}};
  add_partial(graph, backend, base, choices);
  add_segmented(graph, saved, choices);
  if (budget.kept != KeptForm::exact) {
    const std::size_t count = choices.size();
    for (std::size_t i = 0; i < count; ++i) choices.push_back(with_forms(graph, choices[i], budget.kept));
  }
  std::vector<Candidate> candidates = evaluate_all(graph, backend, std::move(choices));
  std::ranges::sort(candidates, {}, [](const Candidate& c) { return std::pair(c.peak, c.work); });
  const std::int64_t smallest = candidates.front().peak;
  const Recomputation smallest_choice = candidates.front().choice;
  const std::int64_t limit = budget.kind == Budget::Kind::bytes ? budget.limit : smallest + (smallest + leaf_bytes(graph)) / kIndifference;
  // the arena can be larger than the largest sum of live bytes, by what lies idle between buffers
  std::ranges::stable_sort(candidates, {}, &Candidate::work);
  for (const auto& candidate : candidates) {
    if (candidate.peak > limit) continue;
    Graph made = recompute(graph, candidate.choice);
    if (budget.kind != Budget::Kind::bytes || arena_bytes(made, backend) <= limit) return made;
  }
  raise<ConfigError>("memory budget: {} bytes were given; the smallest peak for this program and these capacities is {} bytes",
                     budget.limit, arena_bytes(recompute(graph, smallest_choice), backend));
}

}  // namespace preamble
