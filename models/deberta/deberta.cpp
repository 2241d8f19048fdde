#include "models/deberta/deberta.h"

#include <array>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "models/building.h"
#include "models/named_layers.h"
#include "models/tied_head.h"

namespace preamble {
namespace {

constexpr std::string_view kDecoder = "cls.predictions.decoder";

/// What the masked-LM head is called.
struct DebertaMlmNames {
  std::string_view dense, norm, bias;
};
constexpr DebertaMlmNames kTransformersHead = {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias"};
constexpr DebertaMlmNames kPretrainingHead = {"lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm", "lm_predictions.lm_head.bias"};

/// Heads of any task, and what transformers saves or ignores beside the encoder.
constexpr std::array<std::string_view, 8> kBesideDebertaEncoder = {
    "cls.",        "lm_predictions.", "mask_predictions.",       "classifier.",
    "qa_outputs.", "pooler.",         "embeddings.position_ids", "embeddings.position_embeddings."};

}  // namespace

Deberta::Deberta(const DebertaConfig& config, Parameters parameters) : config_(config), parameters_(std::move(parameters)) {
  const std::string words = "embeddings.word_embeddings.weight";
  prefix_ = backbone_prefix(parameters_, "deberta.", words);
  embedding_name_ = prefix_ + words;
  decoder_name_ = embedding_name_;
}

std::unique_ptr<Deberta> Deberta::open(const std::filesystem::path& folder, Parameters::Options options) {
  const DebertaConfig config = DebertaConfig::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<Deberta>(config, Parameters(source, std::move(options)));
  const std::string decoder = fmt::format("{}.weight", kDecoder);
  if (has_own_head(*source, decoder, model->embedding_name_)) model->decoder_name_ = decoder;
  load_encoder(*model, *source, model->prefix_, kBesideDebertaEncoder);
  return model;
}

AttentionShape Deberta::attention_shape(Site site) const {
  require<UnsupportedError>(site == Site::encoder_self, "encoder: a site of a decoder was given; wanted encoder_self");
  return {config_.num_hidden_layers, config_.num_attention_heads, config_.num_attention_heads, config_.head_dim()};
}

Tensor Deberta::embedding() {
  return parameters_.tensor(embedding_name_, {config_.vocab_size, config_.embedding_size}, ParameterKind::matrix);
}

Value Deberta::project(Graph& graph, Value x, const std::string& weights, std::int64_t to) {
  return biased_linear(parameters_, graph, x, weights, to);
}

Value Deberta::normed(Graph& graph, Value x, const std::string& weights) {
  return named_norm(parameters_, graph, x, weights, config_.layer_norm_eps);
}

Value Deberta::embed(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  const Scope scope(graph, "embeddings");
  const std::int64_t e = config_.embedding_size;
  require<UnsupportedError>(!conditioning.prompt || e == config_.hidden_size,
                            "prompt: tokens are embedded with {} numbers, and layers have {}; wanted as many for prompts", e,
                            config_.hidden_size);
  const Value ids = row_input(graph, encoder::kIds, graph.rows(encoder::kTokens, capacity.tokens, capacity.sequences));
  const Value words = parameters_(graph, embedding_name_, {config_.vocab_size, e}, ParameterKind::matrix);
  Value x = with_prompt(graph, gather_rows(words, ids, config_.pad_token_id), conditioning, {capacity.sequences, capacity.rows}, encoder::kPrompt);
  const auto add_rows = [&](const char* table, std::int64_t rows, std::string_view index) {
    const Value embedded = parameters_(graph, name(table), {rows, e}, ParameterKind::matrix);
    x = add(x, gather_rows(embedded, row_input(graph, index, x.type().rows)));
  };
  if (config_.position_biased_input)
    add_rows("embeddings.position_embeddings.weight", config_.max_position_embeddings, encoder::kPositions);
  if (config_.type_vocab_size > 0) add_rows("embeddings.token_type_embeddings.weight", config_.type_vocab_size, encoder::kTokenTypes);
  if (e != config_.hidden_size) {
    x = linear(x, parameters_(graph, name("embeddings.embed_proj.weight"), {config_.hidden_size, e}, ParameterKind::matrix));
  }
  return dropped(graph, normed(graph, x, name("embeddings.LayerNorm")), conditioning.dropout.hidden);
}

Value Deberta::distances(Graph& graph) {
  if (!config_.relative_attention) return {};
  const Scope scope(graph, "distances");
  const std::int64_t rows = config_.distance_rows();
  const Value table = parameters_(graph, name("encoder.rel_embeddings.weight"), {rows, config_.hidden_size}, ParameterKind::vector,
                                  graph.rows(encoder::kDistances, rows, 1));
  return config_.norm_distances ? normed(graph, table, name("encoder.LayerNorm")) : table;
}

void Deberta::add_positions(Graph& graph, AttentionOperands& operands, Value distances, const std::string& attend, double dropout) {
  if (!distances) return;
  const bool shared = config_.share_att_key;
  distances = dropped(graph, distances, dropout);
  if (config_.content_to_position) operands.position_k = project(graph, distances, attend + (shared ? "key_proj" : "pos_key_proj"));
  if (config_.position_to_content) operands.position_q = project(graph, distances, attend + (shared ? "query_proj" : "pos_query_proj"));
}

Value Deberta::attend(Graph& graph, Value x, Value distances, const Conditioning& conditioning, std::int64_t layer, Value slots) {
  const Scope scope(graph, "attention");
  const std::string attend = name(fmt::format("encoder.layer.{}.attention.", layer));
  AttentionOptions options;
  options.heads = options.kv_heads = static_cast<int>(config_.num_attention_heads);
  options.scale = config_.scale();
  options.disentangled = config_.distances;
  AttentionOperands operands;
  operands.q = project(graph, x, attend + "self.query_proj");
  operands.k = project(graph, x, attend + "self.key_proj");
  operands.v = project(graph, x, attend + "self.value_proj");
  add_positions(graph, operands, distances, attend + "self.", conditioning.dropout.hidden);
  add_prefix(operands, conditioning.prefix(Site::encoder_self, layer), slots);
  const Value o = project(graph, dropped_attention(graph, operands, options, conditioning.dropout.attention), attend + "output.dense");
  return normed(graph, add(x, dropped(graph, o, conditioning.dropout.hidden)), attend + "output.LayerNorm");
}

Value Deberta::feed_forward(Graph& graph, Value x, const std::string& layer, double dropout) {
  const Scope scope(graph, "feed_forward");
  const Value h = activation(project(graph, x, layer + ".intermediate.dense", config_.intermediate_size), config_.activation);
  const Value y = project(graph, h, layer + ".output.dense");
  return normed(graph, add(x, dropped(graph, y, dropout)), layer + ".output.LayerNorm");
}

Value Deberta::encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  Value x = embed(graph, conditioning, capacity);
  const Value positions = distances(graph);
  const Value slots = has_prefix(conditioning, Site::encoder_self) ? slots_input(graph, encoder::kSlots, capacity.sequences) : Value{};
  for (std::int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
    const Scope scope(graph, fmt::format("layer.{}", layer));
    x = attend(graph, x, positions, conditioning, layer, slots);
    x = feed_forward(graph, x, name(fmt::format("encoder.layer.{}", layer)), conditioning.dropout.hidden);
  }
  return x;
}

Value Deberta::mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) {
  const auto has = [&](std::string_view map) { return parameters_.contains(fmt::format("{}.weight", map)); };
  const bool pretraining = !has(kTransformersHead.dense) && has(kPretrainingHead.dense);
  const DebertaMlmNames& names = pretraining ? kPretrainingHead : kTransformersHead;
  const Value h = activation(project(graph, hidden, std::string(names.dense), config_.embedding_size), config_.activation);
  const Value x = normed(graph, h, std::string(names.norm));
  const Value w = parameters_(graph, decoder_name_, {config_.vocab_size, config_.embedding_size}, ParameterKind::matrix);
  // the bias is tied as well; some checkpoints have it under the decoder's name alone
  std::string bias(names.bias);
  if (!parameters_.contains(bias)) bias = fmt::format("{}.bias", kDecoder);
  return word_logits(x, w, parameters_(graph, bias, {config_.vocab_size}, ParameterKind::vector), words);
}

HeadLayer Deberta::pooler() const {
  return {.name = "pooler.dense", .checkpoint = "pooler.dense", .activation = config_.pooler_activation, .dropped = false};
}

}  // namespace preamble
