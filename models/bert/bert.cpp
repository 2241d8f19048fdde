#include "models/bert/bert.h"

#include <array>
#include <cmath>
#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/ops/attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/linear.h"
#include "engine/ops/norm.h"
#include "models/building.h"
#include "models/named_layers.h"
#include "models/tied_head.h"

namespace preamble {
namespace {

/// What the masked-LM head is called.
struct MlmNames {
  std::string_view dense, norm, decoder, bias;
};
constexpr MlmNames kBertHead = {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.decoder",
                                "cls.predictions.bias"};
constexpr MlmNames kRobertaHead = {"lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias"};

const MlmNames& mlm_names(const BertConfig& config) { return config.roberta ? kRobertaHead : kBertHead; }

/// Heads of any task, and the index buffers that early versions saved.
constexpr std::array<std::string_view, 7> kBesideEncoder = {
    "cls.", "lm_head.", "classifier.", "qa_outputs.", "pooler.", "embeddings.position_ids", "embeddings.token_type_ids"};

}  // namespace

Bert::Bert(const BertConfig& config, Parameters parameters) : config_(config), parameters_(std::move(parameters)) {
  const std::string words = "embeddings.word_embeddings.weight";
  prefix_ = backbone_prefix(parameters_, config_.roberta ? "roberta." : "bert.", words);
  embedding_name_ = prefix_ + words;
  decoder_name_ = embedding_name_;
}

std::unique_ptr<Bert> Bert::open(const std::filesystem::path& folder, Parameters::Options options) {
  const BertConfig config = BertConfig::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<Bert>(config, Parameters(source, std::move(options)));
  const std::string decoder = fmt::format("{}.weight", mlm_names(config).decoder);
  if (has_own_head(*source, decoder, model->embedding_name_)) model->decoder_name_ = decoder;
  load_encoder(*model, *source, model->prefix_, kBesideEncoder);
  return model;
}

AttentionShape Bert::attention_shape(Site site) const {
  require<UnsupportedError>(site == Site::encoder_self, "encoder: a site of a decoder was given; wanted encoder_self");
  return {config_.num_hidden_layers, config_.num_attention_heads, config_.num_attention_heads, config_.head_dim()};
}

Tensor Bert::embedding() { return parameters_.tensor(embedding_name_, {config_.vocab_size, config_.hidden_size}, ParameterKind::matrix); }

Value Bert::project(Graph& graph, Value x, const std::string& weights, std::int64_t to) {
  return biased_linear(parameters_, graph, x, weights, to);
}

Value Bert::normed(Graph& graph, Value x, const std::string& weights) {
  // the names of TensorFlow live on in the oldest checkpoints
  const bool old = parameters_.contains(weights + ".gamma") && !parameters_.contains(weights + ".weight");
  const Dims dims = {config_.hidden_size};
  return layer_norm(x, parameters_(graph, weights + (old ? ".gamma" : ".weight"), dims, ParameterKind::vector),
                    parameters_(graph, weights + (old ? ".beta" : ".bias"), dims, ParameterKind::vector), config_.layer_norm_eps);
}

Value Bert::embed(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  const Scope scope(graph, "embeddings");
  const std::int64_t d = config_.hidden_size;
  const Value ids = row_input(graph, encoder::kIds, graph.rows(encoder::kTokens, capacity.tokens, capacity.sequences));
  const Value words = parameters_(graph, embedding_name_, {config_.vocab_size, d}, ParameterKind::matrix);
  const Value positions =
      parameters_(graph, name("embeddings.position_embeddings.weight"), {config_.max_position_embeddings, d}, ParameterKind::matrix);
  const Value types =
      parameters_(graph, name("embeddings.token_type_embeddings.weight"), {config_.type_vocab_size, d}, ParameterKind::matrix);
  Value x = with_prompt(graph, gather_rows(words, ids, config_.pad_token_id), conditioning, {capacity.sequences, capacity.rows}, encoder::kPrompt);
  const RowSpaceId rows = x.type().rows;
  // torch's padding_idx: RoBERTa's positions have one, BERT's have none
  x = add(x, gather_rows(positions, row_input(graph, encoder::kPositions, rows), config_.roberta ? config_.pad_token_id : -1));
  x = add(x, gather_rows(types, row_input(graph, encoder::kTokenTypes, rows)));
  return dropped(graph, normed(graph, x, name("embeddings.LayerNorm")), conditioning.dropout.hidden);
}

Value Bert::attend(Graph& graph, Value x, const Conditioning& conditioning, std::int64_t layer, Value slots) {
  const Scope scope(graph, "attention");
  const std::string attend = name(fmt::format("encoder.layer.{}.attention.", layer));
  AttentionOptions options;
  options.heads = options.kv_heads = static_cast<int>(config_.num_attention_heads);
  options.scale = 1 / std::sqrt(static_cast<double>(config_.head_dim()));
  AttentionOperands operands;
  operands.q = project(graph, x, attend + "self.query");
  operands.k = project(graph, x, attend + "self.key");
  operands.v = project(graph, x, attend + "self.value");
  add_prefix(operands, conditioning.prefix(Site::encoder_self, layer), slots);
  const Value o = project(graph, dropped_attention(graph, operands, options, conditioning.dropout.attention), attend + "output.dense");
  return normed(graph, add(x, dropped(graph, o, conditioning.dropout.hidden)), attend + "output.LayerNorm");
}

Value Bert::feed_forward(Graph& graph, Value x, const std::string& layer, double dropout) {
  const Scope scope(graph, "feed_forward");
  const Value h = activation(project(graph, x, layer + ".intermediate.dense", config_.intermediate_size), config_.activation);
  const Value y = project(graph, h, layer + ".output.dense");
  return normed(graph, add(x, dropped(graph, y, dropout)), layer + ".output.LayerNorm");
}

Value Bert::encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  Value x = embed(graph, conditioning, capacity);
  const Value slots = has_prefix(conditioning, Site::encoder_self) ? slots_input(graph, encoder::kSlots, capacity.sequences) : Value{};
  for (std::int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
    const Scope scope(graph, fmt::format("layer.{}", layer));
    x = attend(graph, x, conditioning, layer, slots);
    x = feed_forward(graph, x, name(fmt::format("encoder.layer.{}", layer)), conditioning.dropout.hidden);
  }
  return x;
}

Value Bert::mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) {
  const MlmNames& names = mlm_names(config_);
  const Value h = activation(project(graph, hidden, std::string(names.dense)), config_.activation);
  const Value x = normed(graph, h, std::string(names.norm));
  const Value w = parameters_(graph, decoder_name_, {config_.vocab_size, config_.hidden_size}, ParameterKind::matrix);
  // the bias is tied as well; some checkpoints have it under the decoder's name alone
  std::string bias(names.bias);
  if (!parameters_.contains(bias)) bias = fmt::format("{}.bias", names.decoder);
  return word_logits(x, w, parameters_(graph, bias, {config_.vocab_size}, ParameterKind::vector), words);
}

HeadLayer Bert::pooler() const {
  return {.name = config_.roberta ? "roberta.pooler.dense" : "bert.pooler.dense",
          .checkpoint = name("pooler.dense"),
          .activation = ActivationKind::tanh,
          .in_backbone = true,
          .dropped = false};
}

std::vector<HeadLayer> Bert::sequence_head() const {
  if (!config_.roberta) return EncoderModel::sequence_head();
  return {{.name = "classifier.dense", .checkpoint = "classifier.dense", .activation = ActivationKind::tanh},
          {.name = "classifier.out_proj", .checkpoint = "classifier.out_proj"}};
}

}  // namespace preamble
