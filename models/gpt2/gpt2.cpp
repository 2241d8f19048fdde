#include "models/gpt2/gpt2.h"

#include <cmath>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/ops/append_rows.h"
#include "engine/ops/attention.h"
#include "engine/ops/cached_attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "engine/ops/split_columns.h"
#include "models/building.h"
#include "models/named_layers.h"
#include "models/tied_tables.h"

namespace preamble {
namespace {

constexpr std::string_view kLmHead = "lm_head.weight";

AttentionOptions options_of(const Gpt2Config& config, double scale) {
  AttentionOptions options;
  options.heads = options.kv_heads = static_cast<int>(config.n_head);
  options.scale = scale;
  options.causal = true;
  return options;
}

/// The tokens of sequences that have an infix of embeddings inside.
Value tokens_of(Graph& graph, Value hidden, const Conditioning& conditioning, RowSpaceId tokens) {
  return conditioning.prompt ? gather_rows(hidden, graph.subset(causal::kTokenRows, hidden.type().rows, graph.rows(tokens).rows)) : hidden;
}

}  // namespace

Gpt2::Gpt2(const Gpt2Config& config, Parameters parameters) : config_(config), parameters_(std::move(parameters)) {
  prefix_ = backbone_prefix(parameters_, "transformer.", "wpe.weight");
  embedding_name_ = first_present(parameters_, {name("wte.weight"), std::string(kLmHead)});
  head_name_ = embedding_name_;
}

std::unique_ptr<Gpt2> Gpt2::open(const std::filesystem::path& folder, Parameters::Options options) {
  const Gpt2Config config = Gpt2Config::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<Gpt2>(config, Parameters(source, std::move(options)));
  if (has_own_head(*source, kLmHead, model->embedding_name_)) model->head_name_ = kLmHead;
  model->parameters_.tolerate(kLmHead);
  // the causal mask, saved as a tensor by early versions
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    for (const auto* mask : {"attn.bias", "attn.masked_bias"}) model->parameters_.tolerate(model->block(layer, mask));
  }
  Graph graph = model->parameters_.graph();
  add_logits(*model, graph, {}, {}, false);
  model->parameters_.warn_of_unknown();
  return model;
}

AttentionShape Gpt2::attention_shape(Site) const { return {config_.n_layer, config_.n_head, config_.n_head, config_.head_dim()}; }

Tensor Gpt2::embedding() { return parameters_.tensor(embedding_name_, {config_.vocab_size, config_.n_embd}, ParameterKind::matrix); }

std::string Gpt2::block(std::int64_t layer, std::string_view part) const { return fmt::format("{}h.{}.{}", prefix_, layer, part); }

Value Gpt2::conv(Graph& graph, Value x, const std::string& weights, std::int64_t to) {
  const Value w = parameters_(graph, weights + ".weight", {x.type().width(), to}, ParameterKind::matrix);
  return linear(x, w, parameters_(graph, weights + ".bias", {to}, ParameterKind::vector), WeightLayout::in_out);
}

Value Gpt2::normed(Graph& graph, Value x, const std::string& weights) {
  return named_norm(parameters_, graph, x, weights, config_.layer_norm_epsilon);
}

Value Gpt2::word_table(Graph& graph) {
  return parameters_(graph, embedding_name_, {config_.vocab_size, config_.n_embd}, ParameterKind::matrix);
}

Value Gpt2::placed(Graph& graph, Value x, std::string_view positions) {
  const Value table = parameters_(graph, name("wpe.weight"), {config_.n_positions, config_.n_embd}, ParameterKind::matrix);
  return add(x, gather_rows(table, row_input(graph, positions, x.type().rows)));
}

Value Gpt2::embed(Graph& graph, RowSpaceId tokens, const Conditioning& conditioning, const InsertionCapacity& capacity) {
  const Value words = gather_rows(word_table(graph), row_input(graph, causal::kIds, tokens));
  const Value x = placed(graph, with_prompt(graph, words, conditioning, capacity, causal::kInfix), causal::kPositions);
  return dropped(graph, x, conditioning.dropout.hidden);
}

Value Gpt2::layers(Graph& graph, Value x, double dropout, const Attend& attend) {
  const std::int64_t d = config_.n_embd;
  for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
    const Scope inner(graph, fmt::format("h.{}", layer));
    {
      const Scope sublayer(graph, "attention");
      const Value qkv = conv(graph, normed(graph, x, block(layer, "ln_1")), block(layer, "attn.c_attn"), 3 * d);
      const std::vector<Value> parts = split_columns(qkv, {d, d, d});
      const Value o = attend(layer, parts[0], parts[1], parts[2]);
      x = add(x, dropped(graph, conv(graph, o, block(layer, "attn.c_proj"), d), dropout));
    }
    const Scope sublayer(graph, "feed_forward");
    const Value h = conv(graph, normed(graph, x, block(layer, "ln_2")), block(layer, "mlp.c_fc"), config_.n_inner);
    x = add(x, dropped(graph, conv(graph, activation(h, config_.activation), block(layer, "mlp.c_proj"), d), dropout));
  }
  return normed(graph, x, name("ln_f"));
}

double Gpt2::score_scale(std::int64_t layer) const {
  double scale = config_.scale_attn_weights ? 1 / std::sqrt(static_cast<double>(config_.head_dim())) : 1.0;
  if (config_.scale_attn_by_inverse_layer_idx) scale /= static_cast<double>(layer + 1);
  return scale;
}

Gpt2::Attend Gpt2::attend_to_own(Graph& graph, const Conditioning& conditioning, std::int64_t sequences) {
  const SlotSpace* infix = conditioning.infix();
  const bool in_front = infix == nullptr && has_prefix(conditioning, Site::decoder_self);
  const Value slots = in_front ? slots_input(graph, causal::kSlots, sequences) : Value{};
  return [this, &graph, &conditioning, infix, slots, sequences](std::int64_t layer, Value q, Value k, Value v) {
    AttentionOperands operands{q, k, v};
    const PrefixRows* rows = conditioning.prefix(Site::decoder_self, layer);
    if (infix == nullptr) {
      add_prefix(operands, rows, slots);
    } else if (rows != nullptr) {
      // no queries stand there: what an infix of keys and values would compute is never read
      operands.k = with_rows(graph, k, rows->key, *infix, {sequences}, causal::kInfix);
      operands.v = with_rows(graph, v, rows->value, *infix, {sequences}, causal::kInfix);
    }
    return dropped_attention(graph, operands, options_of(config_, score_scale(layer)), conditioning.dropout.attention);
  };
}

PromptPass Gpt2::read_prompt(Graph& graph, const PromptRows& prompt, const DropoutRates& dropout) {
  PromptPass pass;
  pass.prefix.space = prompt.space;
  const Attend attend = [&](std::int64_t layer, Value q, Value k, Value v) {
    pass.prefix.layers[layer] = {k, v};
    return dropped_attention(graph, {q, k, v}, options_of(config_, score_scale(layer)), dropout.attention);
  };
  const Value x = dropped(graph, placed(graph, prompt.rows, causal::kPromptPositions), dropout.hidden);
  pass.output = layers(graph, x, dropout.hidden, attend);
  return pass;
}

Value Gpt2::decode(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity) {
  const RowSpaceId tokens = graph.rows(causal::kTokens, capacity.tokens, capacity.sequences);
  const Value x = embed(graph, tokens, conditioning, {capacity.sequences, capacity.rows});
  const Value hidden = layers(graph, x, conditioning.dropout.hidden, attend_to_own(graph, conditioning, capacity.sequences));
  return tokens_of(graph, hidden, conditioning, tokens);
}

Value Gpt2::head(Graph& graph, Value hidden) {
  return linear(hidden, parameters_(graph, head_name_, {config_.vocab_size, config_.n_embd}, ParameterKind::matrix));
}

Value Gpt2::prefill(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, std::vector<KeyValueCache>& caches) {
  const RowSpaceId tokens = graph.rows(causal::kTokens, capacity.tokens, capacity.sequences);
  const Value x = embed(graph, tokens, conditioning, {capacity.sequences, capacity.rows});
  const Value place = row_input(graph, causal::kPlace, x.type().rows);
  const Attend attend = attend_to_own(graph, conditioning, capacity.sequences);
  const Value hidden = layers(graph, x, conditioning.dropout.hidden, [&](std::int64_t layer, Value q, Value k, Value v) {
    const auto keep = [&](std::string_view what, const Tensor& cache, Value rows) {
      const std::string label = fmt::format("{}.{}", what, layer);
      graph.output(label, append_rows(graph.state(label, cache), rows, place));
    };
    keep("key", caches.at(static_cast<std::size_t>(layer)).key, k);
    keep("value", caches.at(static_cast<std::size_t>(layer)).value, v);
    return attend(layer, q, k, v);
  });
  return tokens_of(graph, hidden, conditioning, tokens);
}

Value Gpt2::step(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest,
                 std::vector<KeyValueCache>& caches) {
  const RowSpaceId tokens = graph.rows(causal::kTokens, rows, 1);
  const Value x = embed(graph, tokens, {}, {});
  const Value place = row_input(graph, causal::kPlace, tokens);
  CachedAttentionOperands operands;
  operands.table = input(graph, causal::kHistory, {Dtype::i32, tokens, {longest}});
  operands.lengths = row_input(graph, causal::kLengths, tokens);
  const Value slots = has_prefix(conditioning, Site::decoder_self) ? row_input(graph, causal::kRowSlots, tokens) : Value{};
  return layers(graph, x, conditioning.dropout.hidden, [&, operands](std::int64_t layer, Value q, Value k, Value v) {
    const KeyValueCache& cache = caches.at(static_cast<std::size_t>(layer));
    CachedAttentionOperands of_layer = operands;
    of_layer.q = q;
    of_layer.cache_k = append_rows(graph.state(fmt::format("key.{}", layer), cache.key), k, place);
    of_layer.cache_v = append_rows(graph.state(fmt::format("value.{}", layer), cache.value), v, place);
    add_prefix(of_layer, conditioning.prefix(Site::decoder_self, layer), slots);
    return cached_attention(of_layer, options_of(config_, score_scale(layer)));
  });
}

}  // namespace preamble
