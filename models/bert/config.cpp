#include "models/bert/config.h"

#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {
namespace {

BertConfig base_roberta() {
  BertConfig c;
  c.roberta = true;
  c.vocab_size = 50265;
  c.max_position_embeddings = 514;
  c.type_vocab_size = 1;
  c.layer_norm_eps = 1e-5;
  c.pad_token_id = 1;
  return c;
}

}  // namespace

BertConfig BertConfig::read(const JsonFile& json) {
  BertConfig c;
  if (json.get<std::string>("model_type") != "bert") c = base_roberta();
  c.vocab_size = positive_field(json, "vocab_size", c.vocab_size);
  c.hidden_size = positive_field(json, "hidden_size", c.hidden_size);
  c.num_hidden_layers = positive_field(json, "num_hidden_layers", c.num_hidden_layers);
  c.num_attention_heads = positive_field(json, "num_attention_heads", c.num_attention_heads);
  c.intermediate_size = positive_field(json, "intermediate_size", c.intermediate_size);
  // transformers' own defaults are those of BERT for both
  c.max_position_embeddings = positive_field(json, "max_position_embeddings", 512);
  c.type_vocab_size = positive_field(json, "type_vocab_size", 2);
  c.layer_norm_eps = json.get<double>("layer_norm_eps", 1e-12);
  c.activation = activation_named(json, json.get<std::string>("hidden_act", "gelu"));
  c.pad_token_id = token_field(json, "pad_token_id", c.pad_token_id, c.vocab_size);
  require_field(json, "is_decoder", false);
  require_field(json, "add_cross_attention", false);
  const auto positions = json.get<std::string>("position_embedding_type", "absolute");
  require<UnsupportedError>(positions == "absolute", "{}: position_embedding_type is '{}'; wanted absolute", json.where(), positions);
  require<FileError>(c.hidden_size % c.num_attention_heads == 0, "{}: hidden_size is {} and num_attention_heads {}; wanted a multiple", json.where(),
                     c.hidden_size, c.num_attention_heads);
  require<FileError>(c.layer_norm_eps > 0, "{}: field 'layer_norm_eps' is {}; wanted a positive number", json.where(), c.layer_norm_eps);
  require<FileError>(c.max_position_embeddings > c.position_offset(), "{}: max_position_embeddings is {}; wanted more than {}", json.where(),
                     c.max_position_embeddings, c.position_offset());
  return c;
}

BertConfig BertConfig::published(const std::string& name) {
  const bool large = name.ends_with("-large");
  const std::string family = name.substr(0, name.rfind('-'));
  require<ConfigError>((large || name.ends_with("-base")) && (family == "bert" || family == "roberta"),
                       "model shape: '{}' was given; wanted bert-base, bert-large, roberta-base or roberta-large", name);
  BertConfig c = family == "roberta" ? base_roberta() : BertConfig();
  if (large) {
    c.hidden_size = 1024;
    c.num_hidden_layers = 24;
    c.num_attention_heads = 16;
    c.intermediate_size = 4096;
  }
  return c;
}

}  // namespace preamble
