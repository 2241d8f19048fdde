#include "models/causal_stack.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "engine/ops/cast.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "models/building.h"
#include "models/tied_tables.h"

namespace preamble {
namespace {

/// The tokens of sequences that have an infix of embeddings inside.
Value tokens_of(Graph& graph, Value hidden, const Conditioning& conditioning, RowSpaceId tokens) {
  return conditioning.prompt ? gather_rows(hidden, graph.subset(causal::kTokenRows, hidden.type().rows, graph.rows(tokens).rows)) : hidden;
}

}  // namespace

CausalStack::CausalStack(const CausalShape& shape, CausalNames names, Parameters&& parameters)
    : shape_(shape), names_(std::move(names)), parameters_(std::move(parameters)), stack_(shape.stack, names_.stack, parameters_) {
  // a file that keeps one name of tied tensors may keep the head's
  names_.embedding = first_present(parameters_, {names_.embedding, names_.head});
  head_name_ = shape_.tied || !parameters_.contains(names_.head) ? names_.embedding : names_.head;
}

void CausalStack::load(const ParameterSource& source, std::span<const std::string_view> beside) {
  head_name_ = has_own_head(source, names_.head, names_.embedding) ? names_.head : names_.embedding;
  if (!shape_.tied && !source.contains(names_.head)) {
    warn(fmt::format("{}: no '{}', and config.json does not say tie_word_embeddings: true; {} (transformers makes a random one)",
                     source.where(names_.head), names_.head, kEmbeddingAsHead));
  }
  parameters_.tolerate(names_.head);
  for (const auto& whole : source.names()) {
    if (std::ranges::any_of(beside, [&](std::string_view ending) { return whole.ends_with(ending); })) parameters_.tolerate(whole);
  }
  Graph graph = parameters_.graph();
  add_logits(*this, graph, {}, {}, false);
  parameters_.warn_of_unknown();
}

PositionTable CausalStack::positions() const noexcept {
  return {shape_.positions > 0 ? shape_.positions : std::numeric_limits<std::int32_t>::max(), 0};
}

Value CausalStack::placed(Graph&, Value x, std::string_view) { return x; }

AttentionShape CausalStack::attention_shape(Site) const {
  const StackShape& stack = stack_.shape();
  return {stack.layers, stack.heads, stack.kv_heads, stack.head_dim};
}

Tensor CausalStack::embedding() { return parameters_.tensor(names_.embedding, {shape_.vocabulary, width()}, ParameterKind::matrix); }

Value CausalStack::embed(Graph& graph, RowSpaceId tokens, const Conditioning& conditioning, const InsertionCapacity& capacity,
                         const PromptNames& names) {
  const Value ids = row_input(graph, causal::kIds, tokens);
  const Value words = parameters_(graph, names_.embedding, {shape_.vocabulary, width()}, ParameterKind::matrix);
  Value tokens_alone = gather_rows(words, ids, shape_.padding);
  if (shape_.token_scale != 1) tokens_alone = scale(tokens_alone, shape_.token_scale);
  const Value rows = with_prompt(graph, tokens_alone, conditioning, capacity, names);
  return dropped(graph, placed(graph, rows, causal::kPositions), conditioning.dropout.hidden);
}

Attend CausalStack::attend_to_own(Graph& graph, const Conditioning& conditioning, std::int64_t sequences) {
  const SlotSpace* infix = conditioning.infix();
  if (infix == nullptr) {
    const Value slots = has_prefix(conditioning, Site::decoder_self) ? slots_input(graph, causal::kSlots, sequences) : Value{};
    return stack_.attend_to_own(graph, conditioning, Site::decoder_self, slots);
  }
  require<UnsupportedError>(
      conditioning.prompt || stack_.shape().windows.empty(),
      "infix: keys and values were given to a model with sliding windows; wanted a prompt, whose rows have positions there");
  return [this, &graph, &conditioning, infix, sequences](std::int64_t layer, Value q, Value k, Value v) {
    AttentionOperands operands{q, k, v};
    if (const PrefixRows* rows = conditioning.prefix(Site::decoder_self, layer)) {
      // no queries stand there: what an infix of keys and values would compute is never read
      operands.k = with_rows(graph, k, rows->key, *infix, {sequences}, causal::kInfix);
      operands.v = with_rows(graph, v, rows->value, *infix, {sequences}, causal::kInfix);
    }
    return stack_.attend(graph, layer, operands, conditioning);
  };
}

PromptPass CausalStack::read_prompt(Graph& graph, const PromptRows& prompt, const DropoutRates& dropout) {
  PromptPass pass;
  pass.prefix.space = prompt.space;
  Conditioning alone;
  alone.dropout = dropout;
  const Attend attend = [&](std::int64_t layer, Value q, Value k, Value v) {
    pass.prefix.layers[layer] = {k, v};
    return stack_.attend(graph, layer, {q, k, v}, alone);
  };
  const Value x = dropped(graph, placed(graph, cast(prompt.rows, graph.real()), causal::kPromptPositions), dropout.hidden);
  pass.output = stack_.run(graph, x, alone, attend, {}, causal::kPromptPositions);
  return pass;
}

Value CausalStack::decode(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity) {
  const RowSpaceId tokens = graph.rows(causal::kTokens, capacity.tokens, capacity.sequences);
  const Value x = embed(graph, tokens, conditioning, {capacity.sequences, capacity.rows});
  const Value hidden = stack_.run(graph, x, conditioning, attend_to_own(graph, conditioning, capacity.sequences), {}, causal::kPositions);
  return tokens_of(graph, hidden, conditioning, tokens);
}

Value CausalStack::encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  require<UnsupportedError>(conditioning.infix() == nullptr, "head: an infix was given; wanted a prompt or a prefix in front of the sequences");
  const RowSpaceId tokens = graph.rows(encoder::kTokens, capacity.tokens, capacity.sequences);
  const Value x = embed(graph, tokens, conditioning, {capacity.sequences, capacity.rows}, encoder::kPrompt);
  const Value slots = has_prefix(conditioning, Site::decoder_self) ? slots_input(graph, encoder::kSlots, capacity.sequences) : Value{};
  const Attend attend = stack_.attend_to_own(graph, conditioning, Site::decoder_self, slots);
  return stack_.run(graph, x, conditioning, attend, {}, encoder::kPositions);
}

Value CausalStack::head(Graph& graph, Value hidden) {
  return linear(hidden, parameters_(graph, head_name_, {shape_.vocabulary, width()}, ParameterKind::matrix));
}

Value CausalStack::prefill(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, std::vector<KeyValueCache>& caches) {
  const RowSpaceId tokens = graph.rows(causal::kTokens, capacity.tokens, capacity.sequences);
  const Value x = embed(graph, tokens, conditioning, {capacity.sequences, capacity.rows});
  const Value cache_row = row_input(graph, step_inputs::kCacheRow, x.type().rows);
  const Attend attend = attend_to_own(graph, conditioning, capacity.sequences);
  const Attend keeping = [&](std::int64_t layer, Value q, Value k, Value v) {
    keep_in_cache(graph, caches.at(static_cast<std::size_t>(layer)), layer, {k, v}, cache_row);
    return attend(layer, q, k, v);
  };
  const Value hidden = stack_.run(graph, x, conditioning, keeping, {}, causal::kPositions);
  return tokens_of(graph, hidden, conditioning, tokens);
}

Value CausalStack::step(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest,
                        std::vector<KeyValueCache>& caches) {
  const RowSpaceId tokens = graph.rows(causal::kTokens, rows, 1);
  const Value x = embed(graph, tokens, {}, {});
  const StepInputs inputs = StepInputs::declare(graph, tokens, longest, conditioning);
  const Attend cached = [&](std::int64_t layer, Value q, Value k, Value v) {
    const KeyValue cache = in_cache(graph, caches.at(static_cast<std::size_t>(layer)), layer, {k, v}, inputs.cache_row);
    return stack_.attend_to_cache(graph, layer, q, cache, inputs, conditioning);
  };
  return stack_.run(graph, x, conditioning, cached, {}, causal::kPositions);
}

}  // namespace preamble
