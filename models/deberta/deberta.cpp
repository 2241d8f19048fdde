#include "models/deberta/deberta.h"

#include <array>
#include <utility>

#include "data/json_file.h"
#include "engine/ops/linear.h"
#include "models/building.h"

namespace preamble {
namespace {

constexpr EncoderNames kDebertaNames = {.family = "deberta.",
                                 .query = "attention.self.query_proj",
                                 .key = "attention.self.key_proj",
                                 .value = "attention.self.value_proj"};
constexpr std::string_view kPositionKey = "attention.self.pos_key_proj";
constexpr std::string_view kPositionQuery = "attention.self.pos_query_proj";
constexpr std::string_view kDebertaDecoder = "cls.predictions.decoder";

/// Heads of any task, and what transformers saves or ignores beside the encoder.
constexpr std::array<std::string_view, 8> kBesideDebertaEncoder = {
    "cls.",        "lm_predictions.", "mask_predictions.",       "classifier.",
    "qa_outputs.", "pooler.",         "embeddings.position_ids", "embeddings.position_embeddings."};

}  // namespace

Deberta::Deberta(const DebertaConfig& config, Parameters parameters) : EncoderStack(config, kDebertaNames, std::move(parameters)), config_(config) {}

std::unique_ptr<Deberta> Deberta::open(const std::filesystem::path& folder, Parameters::Options options) {
  const DebertaConfig config = DebertaConfig::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<Deberta>(config, Parameters(source, std::move(options)));
  model->load(*source, kBesideDebertaEncoder);
  return model;
}

MlmHead Deberta::mlm_head_of() const {
  const MlmHead transformers = {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", kDebertaDecoder, "cls.predictions.bias",
                                config_.activation};
  const MlmHead pretraining = {"lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm", kDebertaDecoder, "lm_predictions.lm_head.bias",
                               config_.activation};
  return has_map(transformers.dense) || !has_map(pretraining.dense) ? transformers : pretraining;
}

Value Deberta::embed(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  const Scope scope(graph, "embeddings");
  Value x = embedded_tokens(graph, conditioning, capacity);
  if (config_.position_biased_input) x = with_table(graph, x, "position_embeddings", config_.max_position_embeddings, encoder::kPositions);
  if (config_.type_vocab_size > 0) x = with_table(graph, x, "token_type_embeddings", config_.type_vocab_size, encoder::kTokenTypes);
  if (config_.embedding_size != config_.hidden_size) {
    const Dims dims = {config_.hidden_size, config_.embedding_size};
    x = linear(x, parameters()(graph, name("embeddings.embed_proj.weight"), dims, ParameterKind::matrix));
  }
  return dropped(graph, normed(graph, x, name("embeddings.LayerNorm")), conditioning.dropout.hidden);
}

Value Deberta::shared_positions(Graph& graph) {
  if (!config_.relative_attention) return {};
  const Scope scope(graph, "distances");
  const std::int64_t rows = config_.distance_rows();
  const Value table = parameters()(graph, name("encoder.rel_embeddings.weight"), {rows, config_.hidden_size}, ParameterKind::vector,
                                   graph.rows(encoder::kDistances, rows, 1));
  return config_.norm_distances ? normed(graph, table, name("encoder.LayerNorm")) : table;
}

void Deberta::complete_attention(Graph& graph, AttentionOperands& operands, AttentionOptions& options, Value positions,
                                 const std::string& layer, double dropout) {
  options.scale = config_.scale();
  options.disentangled = config_.distances;
  if (!positions) return;
  positions = dropped(graph, positions, dropout);
  const auto part = [&](std::string_view own, std::string_view shared) { return layer + std::string(config_.share_att_key ? shared : own); };
  if (config_.content_to_position) operands.position_k = project(graph, positions, part(kPositionKey, kDebertaNames.key));
  if (config_.position_to_content) operands.position_q = project(graph, positions, part(kPositionQuery, kDebertaNames.query));
}

HeadLayer Deberta::pooler() const {
  return {.name = "pooler.dense", .checkpoint = "pooler.dense", .activation = config_.pooler_activation, .dropped = false};
}

}  // namespace preamble
