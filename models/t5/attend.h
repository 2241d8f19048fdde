// How T5's layers attend: what training and generation share.
#pragma once

#include <string_view>
#include <utility>

#include "engine/graph/graph.h"
#include "engine/ops/attention.h"
#include "models/conditioning.h"
#include "models/t5/config.h"

namespace preamble {

/// The input of that name, declared at its first use.
[[nodiscard]] inline Value input(Graph& graph, std::string_view name, Type type) {
  const Value leaf = graph.leaf(name);
  return leaf ? leaf : graph.input(name, std::move(type));
}

[[nodiscard]] inline Value slots_input(Graph& graph, std::string_view name, std::int64_t segments) { return input(graph, name, {Dtype::i32, kNoRows, {segments}}); }

[[nodiscard]] inline AttentionOptions attention_options(const T5Config& config, bool bidirectional, const Conditioning& conditioning) {
  AttentionOptions options;
  options.heads = options.kv_heads = static_cast<int>(config.num_heads);
  options.scale = 1;  // T5 has its scale in the initialisation of q
  options.relative = {bidirectional, static_cast<int>(config.relative_attention_max_distance)};
  options.prefix_has_positions = conditioning.prefix_has_relative_positions;
  return options;
}

template <class Operands>
void add_prefix(Operands& operands, const PrefixRows* prefix, Value slots) {
  if (prefix == nullptr) return;
  operands.prefix_k = prefix->key;
  operands.prefix_v = prefix->value;
  operands.slots = slots;
}

/// Slots are an input of a graph only where some site has a prefix.
[[nodiscard]] inline bool has_prefix(const Conditioning& conditioning, Site site) { return conditioning.prefixes.contains(site); }

}  // namespace preamble
