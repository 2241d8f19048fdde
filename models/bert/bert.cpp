#include "models/bert/bert.h"

#include <array>
#include <utility>

#include "data/json_file.h"
#include "models/building.h"

namespace preamble {
namespace {

constexpr EncoderNames kDistilNames = {.family = "distilbert.",
                                       .layers = "transformer.layer.",
                                       .query = "attention.q_lin",
                                       .key = "attention.k_lin",
                                       .value = "attention.v_lin",
                                       .attention_output = "attention.out_lin",
                                       .attention_norm = "sa_layer_norm",
                                       .inner = "ffn.lin1",
                                       .output = "ffn.lin2",
                                       .output_norm = "output_layer_norm"};

EncoderNames names_of(BertFamily family) {
  switch (family) {
    case BertFamily::bert: break;
    case BertFamily::roberta: return {.family = "roberta."};
    case BertFamily::distilbert: return kDistilNames;
    case BertFamily::electra: return {.family = "electra."};
  }
  return {};
}

/// Heads of any task, and the index buffers that early versions saved.
constexpr std::array<std::string_view, 14> kBesideEncoder = {"cls.",
                                                             "lm_head.",
                                                             "vocab_transform.",
                                                             "vocab_layer_norm.",
                                                             "vocab_projector.",
                                                             "generator_",
                                                             "discriminator_",
                                                             "classifier.",
                                                             "pre_classifier.",
                                                             "sequence_summary.",
                                                             "qa_outputs.",
                                                             "pooler.",
                                                             "embeddings.position_ids",
                                                             "embeddings.token_type_ids"};

}  // namespace

Bert::Bert(const BertConfig& config, Parameters parameters)
    : EncoderStack(config, names_of(config.family), std::move(parameters)), config_(config) {}

std::unique_ptr<Bert> Bert::open(const std::filesystem::path& folder, Parameters::Options options) {
  const BertConfig config = BertConfig::read(JsonFile::open(folder / "config.json"));
  const auto source = checkpoint_source(folder);
  auto model = std::make_unique<Bert>(config, Parameters(source, std::move(options)));
  model->load(*source, kBesideEncoder);
  return model;
}

MlmHead Bert::mlm_head_of() const {
  switch (config_.family) {
    case BertFamily::bert: break;
    case BertFamily::roberta: return {"lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias"};
    case BertFamily::distilbert:
      return {"vocab_transform", "vocab_layer_norm", "vocab_projector", "vocab_projector.bias", config_.activation};
    case BertFamily::electra:
      return {"generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head", "generator_lm_head.bias"};
  }
  return {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.decoder", "cls.predictions.bias",
          config_.activation};
}

Value Bert::embed(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  const Scope scope(graph, "embeddings");
  Value x = embedded_tokens(graph, conditioning, capacity);
  // torch's padding_idx: RoBERTa's positions have one, the others' have none
  const std::int64_t padding = config_.family == BertFamily::roberta ? config_.pad_token_id : -1;
  x = with_table(graph, x, "position_embeddings", config_.max_position_embeddings, encoder::kPositions, padding);
  if (config_.type_vocab_size > 0) x = with_table(graph, x, "token_type_embeddings", config_.type_vocab_size, encoder::kTokenTypes);
  x = dropped(graph, normed(graph, x, name("embeddings.LayerNorm")), conditioning.dropout.hidden);
  return config_.embedding_size == config_.hidden_size ? x : project(graph, x, name("embeddings_project"));
}

HeadLayer Bert::pooler() const {
  switch (config_.family) {
    case BertFamily::bert:
    case BertFamily::roberta: break;
    case BertFamily::distilbert:
      return {.name = "pre_classifier", .checkpoint = "pre_classifier", .activation = ActivationKind::relu, .dropped = false};
    case BertFamily::electra:
      return {.name = "sequence_summary.summary",
              .checkpoint = "sequence_summary.summary",
              .activation = config_.summary_activation,
              .dropped = false};
  }
  return {.name = config_.family == BertFamily::roberta ? "roberta.pooler.dense" : "bert.pooler.dense",
          .checkpoint = name("pooler.dense"),
          .activation = ActivationKind::tanh,
          .in_backbone = true,
          .dropped = false};
}

std::vector<HeadLayer> Bert::sequence_head() const {
  if (config_.family != BertFamily::roberta && config_.family != BertFamily::electra) return EncoderModel::sequence_head();
  const ActivationKind function = config_.family == BertFamily::roberta ? ActivationKind::tanh : ActivationKind::gelu;
  return {{.name = "classifier.dense", .checkpoint = "classifier.dense", .activation = function},
          {.name = "classifier.out_proj", .checkpoint = "classifier.out_proj"}};
}

HeadLayer Bert::span_head() const {
  HeadLayer head = EncoderModel::span_head();
  head.dropped = config_.family == BertFamily::distilbert;
  return head;
}

}  // namespace preamble
