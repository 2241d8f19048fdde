#include "models/bert/config.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/ranges.h>

#include "data/model_type.h"
#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {
namespace {

struct ModelType {
  std::string_view name;
  BertFamily family;
};
constexpr std::array<ModelType, 5> kTypes = {{{"bert", BertFamily::bert},
                                              {"roberta", BertFamily::roberta},
                                              {"xlm-roberta", BertFamily::roberta},
                                              {"distilbert", BertFamily::distilbert},
                                              {"electra", BertFamily::electra}}};

/// Sizes by which a published shape differs from the first one of its family.
struct Published {
  std::string_view name, type;
  std::int64_t vocabulary, hidden, embedding, layers, heads, intermediate;
};
constexpr std::array<Published, 10> kPublished = {{{"bert-base", "bert", 30522, 768, 768, 12, 12, 3072},
                                                   {"bert-large", "bert", 30522, 1024, 1024, 24, 16, 4096},
                                                   {"distilbert-base", "distilbert", 30522, 768, 768, 6, 12, 3072},
                                                   {"electra-small", "electra", 30522, 256, 128, 12, 4, 1024},
                                                   {"electra-base", "electra", 30522, 768, 768, 12, 12, 3072},
                                                   {"electra-large", "electra", 30522, 1024, 1024, 24, 16, 4096},
                                                   {"roberta-base", "roberta", 50265, 768, 768, 12, 12, 3072},
                                                   {"roberta-large", "roberta", 50265, 1024, 1024, 24, 16, 4096},
                                                   {"xlm-roberta-base", "xlm-roberta", 250002, 768, 768, 12, 12, 3072},
                                                   {"xlm-roberta-large", "xlm-roberta", 250002, 1024, 1024, 24, 16, 4096}}};

/// Constants that published models of the family share.
BertConfig of_family(BertFamily family) {
  BertConfig c;
  c.family = family;
  if (family == BertFamily::roberta) {
    c.vocab_size = 50265;
    c.max_position_embeddings = 514;
    c.type_vocab_size = 1;
    c.layer_norm_eps = 1e-5;
    c.pad_token_id = 1;
  }
  if (family == BertFamily::distilbert) {
    c.num_hidden_layers = 6;
    c.type_vocab_size = 0;
  }
  return c;
}

constexpr EncoderFields kDistilFields = {
    .hidden_size = "dim", .layers = "n_layers", .heads = "n_heads", .intermediate_size = "hidden_dim", .activation = "activation"};

/// ELECTRA's own fields and defaults.
void read_electra(const JsonFile& json, BertConfig& c) {
  c.embedding_size = positive_field(json, "embedding_size", 128);
  const auto summary = json.find<std::string>("summary_activation");
  if (summary) c.summary_activation = activation_named(json, *summary);
}

}  // namespace

BertConfig BertConfig::read(const JsonFile& json) {
  const auto type = model_type_of(json);
  const auto* found = std::ranges::find(kTypes, type, &ModelType::name);
  require<UnsupportedError>(found != kTypes.end(), "{}: model_type is '{}'; wanted bert, roberta, xlm-roberta, distilbert or electra", json.where(),
                            type);
  BertConfig c = of_family(found->family);
  const bool distil = c.family == BertFamily::distilbert;
  if (c.family == BertFamily::electra) {
    c.hidden_size = 256;
    c.num_attention_heads = 4;
    c.intermediate_size = 1024;
  }
  if (!distil) {
    // transformers' own defaults are those of BERT for all
    c.max_position_embeddings = 512;
    c.type_vocab_size = positive_field(json, "type_vocab_size", 2);
    c.layer_norm_eps = 1e-12;
  }
  read_encoder_sizes(json, distil ? kDistilFields : EncoderFields{}, c);
  // no field of DistilBERT: its norms have this constant
  if (distil) c.layer_norm_eps = 1e-12;
  if (c.family == BertFamily::electra) read_electra(json, c);
  require_field(json, "is_decoder", false);
  require_field(json, "add_cross_attention", false);
  const auto positions = json.get<std::string>("position_embedding_type", "absolute");
  require<UnsupportedError>(positions == "absolute", "{}: position_embedding_type is '{}'; wanted absolute", json.where(), positions);
  require<FileError>(c.max_position_embeddings > c.position_offset(), "{}: max_position_embeddings is {}; wanted more than {}", json.where(),
                     c.max_position_embeddings, c.position_offset());
  return c;
}

BertConfig BertConfig::published(const std::string& name) {
  const auto* found = std::ranges::find(kPublished, name, &Published::name);
  std::vector<std::string_view> names;
  for (const auto& shape : kPublished) names.push_back(shape.name);
  require<ConfigError>(found != kPublished.end(), "model shape: '{}' was given; wanted one of {}", name, fmt::join(names, ", "));
  BertConfig c = of_family(std::ranges::find(kTypes, found->type, &ModelType::name)->family);
  c.vocab_size = found->vocabulary;
  c.hidden_size = found->hidden;
  c.embedding_size = found->embedding;
  c.num_hidden_layers = found->layers;
  c.num_attention_heads = found->heads;
  c.intermediate_size = found->intermediate;
  return c;
}

std::vector<std::string> BertConfig::published_names(std::string_view model_type) {
  std::vector<std::string> names;
  for (const auto& shape : kPublished) {
    if (shape.type == model_type) names.emplace_back(shape.name);
  }
  return names;
}

}  // namespace preamble
