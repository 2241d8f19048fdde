#include "models/glm/glm.h"

#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "engine/ops/attention.h"
#include "engine/ops/cached_attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "engine/ops/pick_rows.h"
#include "engine/ops/split_columns.h"
#include "models/building.h"
#include "models/key_value_cache.h"
#include "models/named_layers.h"
#include "models/step_inputs.h"

namespace preamble {
namespace {

/// Maps of the class for sequences, and what the training code saved beside the model.
constexpr std::array<std::string_view, 4> kBesideModel = {"dense.", "out_proj.", "pool_layer.", "multichoice_head."};

}  // namespace

Glm::Glm(const GlmConfig& config, Parameters parameters, BlankFilling filling)
    : config_(config), parameters_(std::move(parameters)), filling_(std::move(filling)) {
  filling_.block_positions = config.block_position_encoding ? config.positions() : 0;
  prefix_ = backbone_prefix(parameters_, "glm.", "word_embeddings.weight");
  embedding_name_ = name("word_embeddings.weight");
}

std::unique_ptr<Glm> Glm::open(const std::filesystem::path& folder, Parameters::Options options) {
  const GlmConfig config = GlmConfig::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<Glm>(config, Parameters(source, std::move(options)), BlankFilling{.tokens = BlankTokens::read(folder)});
  if (!model->filling_.tokens) {
    warn(fmt::format("{}: no <|startofpiece|>, <|endofpiece|> and mask in added_tokens.json, tokenizer_config.json or a vocabulary; "
                     "every text is read without pieces",
                     folder.string()));
  }
  for (const auto& tensor : source->names()) {
    for (const auto beginning : kBesideModel) {
      if (tensor.starts_with(beginning)) model->parameters_.tolerate(tensor);
    }
  }
  Graph graph = model->parameters_.graph();
  (void)model->encode(graph, {}, {});
  model->parameters_.warn_of_unknown();
  return model;
}

AttentionShape Glm::attention_shape(Site site) const {
  require<UnsupportedError>(site == Site::decoder_self, "GLM: a site of another stack was given; wanted decoder_self");
  return {config_.num_layers, config_.num_attention_heads, config_.num_attention_heads, config_.head_dim()};
}

Tensor Glm::embedding() { return parameters_.tensor(embedding_name_, {config_.vocab_size, config_.hidden_size}, ParameterKind::matrix); }

Pooling Glm::pooling() const {
  static const std::map<std::string, Pooling> kRows = {
      {"cls", Pooling::first_token}, {"start", Pooling::piece_start}, {"pad", Pooling::context_end}};
  const auto found = kRows.find(config_.pool_token);
  require<FileError>(found != kRows.end(), "config.json: pool_token is '{}'; wanted cls, start or pad", config_.pool_token);
  return found->second;
}

Value Glm::normed(Graph& graph, Value x, const std::string& weights) {
  return named_norm(parameters_, graph, x, weights, config_.layernorm_epsilon);
}

Value Glm::word_table(Graph& graph) {
  return parameters_(graph, embedding_name_, {config_.vocab_size, config_.hidden_size}, ParameterKind::matrix);
}

Value Glm::embed(Graph& graph, RowSpaceId tokens, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  const Value words = gather_rows(word_table(graph), row_input(graph, encoder::kIds, tokens));
  Value x = with_prompt(graph, words, conditioning, {capacity.sequences, capacity.rows}, encoder::kPrompt);
  const auto placed = [&](std::string_view table, std::string_view index) {
    const Value rows = parameters_(graph, name(table), {config_.positions(), config_.hidden_size}, ParameterKind::matrix);
    x = add(x, gather_rows(rows, row_input(graph, index, x.type().rows)));
  };
  placed("transformer.position_embeddings.weight", encoder::kPositions);
  if (config_.block_position_encoding) placed("transformer.block_position_embeddings.weight", encoder::kBlockPositions);
  return dropped(graph, x, conditioning.dropout.hidden);
}

Value Glm::layers(Graph& graph, Value x, double dropout, const Attend& attend) {
  const std::int64_t d = config_.hidden_size;
  for (std::int64_t layer = 0; layer < config_.num_layers; ++layer) {
    const Scope scope(graph, fmt::format("layer.{}", layer));
    const auto part = [&](std::string_view inside) { return name(fmt::format("transformer.layers.{}.{}", layer, inside)); };
    {
      const Scope sublayer(graph, "attention");
      const Value qkv = biased_linear(parameters_, graph, normed(graph, x, part("input_layernorm")), part("attention.query_key_value"), 3 * d);
      const std::vector<Value> parts = split_columns(qkv, {d, d, d});
      const Value o = attend(layer, parts[0], parts[1], parts[2]);
      x = add(x, dropped(graph, biased_linear(parameters_, graph, o, part("attention.dense"), d), dropout));
    }
    const Scope sublayer(graph, "feed_forward");
    const Value h = biased_linear(parameters_, graph, normed(graph, x, part("post_attention_layernorm")), part("mlp.dense_h_to_4h"), 4 * d);
    const Value y = biased_linear(parameters_, graph, activation(h, config_.activation), part("mlp.dense_4h_to_h"), d);
    x = add(x, dropped(graph, y, dropout));
  }
  return normed(graph, x, name("transformer.final_layernorm"));
}

AttentionOptions Glm::attention_options() const {
  AttentionOptions options;
  options.heads = options.kv_heads = static_cast<int>(config_.num_attention_heads);
  options.scale = 1 / std::sqrt(static_cast<double>(config_.head_dim()));
  options.causal = true;
  return options;
}

Glm::Attend Glm::attend_to_own(Graph& graph, const Conditioning& conditioning, std::int64_t sequences) {
  const Value slots = has_prefix(conditioning, Site::decoder_self) ? slots_input(graph, encoder::kSlots, sequences) : Value{};
  const Value contexts = slots_input(graph, encoder::kContexts, sequences);
  return [this, &graph, &conditioning, slots, contexts](std::int64_t layer, Value q, Value k, Value v) {
    AttentionOperands operands{q, k, v};
    operands.context = contexts;
    add_prefix(operands, conditioning.prefix(Site::decoder_self, layer), slots);
    return dropped_attention(graph, operands, attention_options(), conditioning.dropout.attention);
  };
}

Value Glm::encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  const RowSpaceId tokens = graph.rows(encoder::kTokens, capacity.tokens, capacity.sequences);
  const Value x = embed(graph, tokens, conditioning, capacity);
  return layers(graph, x, conditioning.dropout.hidden, attend_to_own(graph, conditioning, capacity.sequences));
}

Value Glm::mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) {
  const Value table = word_table(graph);
  return linear(hidden, words.empty() ? table : pick_rows(table, {words.begin(), words.end()}));
}

HeadLayer Glm::pooler() const { return {.name = "dense", .checkpoint = "dense", .activation = ActivationKind::tanh}; }

std::vector<HeadLayer> Glm::sequence_head() const { return {pooler(), {.name = "out_proj", .checkpoint = "out_proj"}}; }

Value Glm::prefill(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity, std::vector<KeyValueCache>& caches) {
  const RowSpaceId tokens = graph.rows(encoder::kTokens, capacity.tokens, capacity.sequences);
  const Value x = embed(graph, tokens, conditioning, capacity);
  const Value cache_row = row_input(graph, step_inputs::kCacheRow, x.type().rows);
  const Attend attend = attend_to_own(graph, conditioning, capacity.sequences);
  return layers(graph, x, conditioning.dropout.hidden, [&](std::int64_t layer, Value q, Value k, Value v) {
    keep_in_cache(graph, caches.at(static_cast<std::size_t>(layer)), layer, {k, v}, cache_row);
    return attend(layer, q, k, v);
  });
}

Value Glm::step(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest, std::vector<KeyValueCache>& caches) {
  const RowSpaceId tokens = graph.rows(encoder::kTokens, rows, 1);
  const Value x = embed(graph, tokens, {}, {});
  const StepInputs inputs = StepInputs::declare(graph, tokens, longest, conditioning);
  return layers(graph, x, 0, [&](std::int64_t layer, Value q, Value k, Value v) {
    const KeyValue cache = in_cache(graph, caches.at(static_cast<std::size_t>(layer)), layer, {k, v}, inputs.cache_row);
    CachedAttentionOperands operands{
        .q = q, .cache_k = cache.key, .cache_v = cache.value, .table = inputs.table, .lengths = inputs.lengths};
    add_prefix(operands, conditioning.prefix(Site::decoder_self, layer), inputs.slots);
    return cached_attention(operands, attention_options());
  });
}

}  // namespace preamble
