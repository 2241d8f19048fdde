// What the graphs of all models are built with.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/graph/graph.h"
#include "engine/ops/attention.h"
#include "models/conditioning.h"
#include "models/prompt_names.h"

namespace preamble {

/// The input of that name, declared at its first use.
[[nodiscard]] Value input(Graph& graph, std::string_view name, Type type);
/// An input of one i32 for each row.
[[nodiscard]] Value row_input(Graph& graph, std::string_view name, RowSpaceId rows);
/// An input of one i32 for each segment.
[[nodiscard]] Value slots_input(Graph& graph, std::string_view name, std::int64_t segments);

/// How many sequences get rows inserted, and how many rows they have then; 0: as many as tokens and inserted rows can be.
struct InsertionCapacity {
  std::int64_t sequences = 1;
  std::int64_t rows = 0;
};

/// Tokens [rows, D] with the rows of a slot inside each sequence, where the input `names.index` says.
[[nodiscard]] Value with_rows(Graph& graph, Value tokens, Value rows, const SlotSpace& space, const InsertionCapacity& capacity,
                              const PromptNames& names);

/// Embedded tokens [rows, D] with the prompt's rows in front of each sequence; without a prompt the tokens themselves.
[[nodiscard]] Value with_prompt(Graph& graph, Value tokens, const Conditioning& conditioning, const InsertionCapacity& capacity,
                                const PromptNames& names);

/// Logits x Wᵀ + bias of a vocabulary [rows, V]; with `words` [rows, words] of these alone: the others are never made.
[[nodiscard]] Value word_logits(Value x, Value w, Value bias, std::span<const std::int32_t> words);

/// Input i32 [2]: random bits of this run, as `dropout` reads them. Graphs that have it are for training.
inline constexpr std::string_view kDropoutKey = "dropout_key";

/// Dropout with a mask of its own in a graph that has `kDropoutKey`, else x itself.
[[nodiscard]] Value dropped(Graph& graph, Value x, double rate);

/// Attention with such masks of its probabilities.
[[nodiscard]] Value dropped_attention(Graph& graph, AttentionOperands operands, AttentionOptions options, double rate);

/// Dropout of all prefixes at their rate, as Liu et al. 2022 drop what their prefix encoder returns (past_key_values).
void drop_prefixes(Graph& graph, Conditioning& conditioning);

/// Puts a layer's prefix, if it has one, in front of the keys and values of an attention's operands.
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
