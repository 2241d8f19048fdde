#include "models/building.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/ops/dropout.h"
#include "engine/ops/linear.h"
#include "engine/ops/merge_rows.h"
#include "engine/ops/pick_rows.h"

namespace preamble {

Value input(Graph& graph, std::string_view name, Type type) {
  const Value leaf = graph.leaf(name);
  return leaf ? leaf : graph.input(name, std::move(type));
}

Value row_input(Graph& graph, std::string_view name, RowSpaceId rows) { return input(graph, name, {Dtype::i32, rows, {}}); }

Value slots_input(Graph& graph, std::string_view name, std::int64_t segments) {
  return input(graph, name, {Dtype::i32, kNoRows, {segments}});
}

Value word_logits(Value x, Value w, Value bias, std::span<const std::int32_t> words) {
  if (words.empty()) return linear(x, w, bias);
  const std::vector<std::int32_t> rows(words.begin(), words.end());
  return linear(x, pick_rows(w, rows), pick_rows(bias, rows));
}

Value dropped(Graph& graph, Value x, double rate) {
  const Value key = graph.leaf(kDropoutKey);
  return key ? dropout(x, key, rate, static_cast<std::uint32_t>(graph.size())) : x;
}

Value dropped_attention(Graph& graph, AttentionOperands operands, AttentionOptions options, double rate) {
  operands.dropout_key = graph.leaf(kDropoutKey);
  if (operands.dropout_key) options.dropout = {rate, static_cast<std::uint32_t>(graph.size())};
  return attention(operands, options);
}

void drop_prefixes(Graph& graph, Conditioning& conditioning) {
  const double rate = conditioning.dropout.prefix;
  for (auto& [site, prefix] : conditioning.prefixes) {
    for (auto& [layer, rows] : prefix.layers) rows = {dropped(graph, rows.key, rate), dropped(graph, rows.value, rate)};
  }
}

Value with_rows(Graph& graph, Value tokens, Value rows, const SlotSpace& space, const InsertionCapacity& capacity,
                const PromptNames& names) {
  const std::int64_t inserted = capacity.sequences * space.longest();
  const std::int64_t most = graph.capacity(tokens.type()) + inserted;
  const std::int64_t together = capacity.rows > 0 ? std::min(capacity.rows, most) : most;
  const RowSpaceId all = graph.rows(names.rows, together, capacity.sequences);
  return merge_rows(tokens, rows, row_input(graph, names.index, all), graph.subset(names.prompt_rows, all, std::min(inserted, together)));
}

Value with_prompt(Graph& graph, Value tokens, const Conditioning& conditioning, const InsertionCapacity& capacity,
                  const PromptNames& names) {
  if (!conditioning.prompt) return tokens;
  return with_rows(graph, tokens, conditioning.prompt->rows, conditioning.prompt->space, capacity, names);
}

}  // namespace preamble
