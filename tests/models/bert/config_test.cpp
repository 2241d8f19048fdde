#include "models/bert/config.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace bert_config_test {

using namespace preamble;

namespace {

BertConfig parsed(const std::string& type, const std::string& fields) {
  return BertConfig::read(JsonFile::parse(R"({"model_type": ")" + type + "\"" + (fields.empty() ? "" : ", " + fields) + "}", "config.json"));
}

}  // namespace

TEST_CASE("bert config: reads the shape") {
  const BertConfig c = parsed("bert", R"("vocab_size": 109, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 64, "type_vocab_size": 3, "hidden_act": "gelu_new", "layer_norm_eps": 1e-5, "pad_token_id": 7)");
  CHECK(c.family == BertFamily::bert);
  CHECK(c.vocab_size == 109);
  CHECK(c.head_dim() == 8);
  CHECK(c.num_hidden_layers == 2);
  CHECK(c.intermediate_size == 48);
  CHECK(c.max_position_embeddings == 64);
  CHECK(c.position_offset() == 0);
  CHECK(c.type_vocab_size == 3);
  CHECK(c.activation == ActivationKind::gelu_tanh);
  CHECK(c.layer_norm_eps == 1e-5);
  CHECK(c.pad_token_id == 7);
}

TEST_CASE("bert config: absent fields have transformers' defaults, those of RoBERTa its own") {
  const BertConfig bert = parsed("bert", "");
  CHECK(bert.vocab_size == 30522);
  CHECK(bert.type_vocab_size == 2);
  CHECK(bert.layer_norm_eps == 1e-12);
  CHECK(bert.pad_token_id == 0);
  const BertConfig roberta = parsed("roberta", "");
  CHECK(roberta.family == BertFamily::roberta);
  CHECK(roberta.vocab_size == 50265);
  CHECK(roberta.max_position_embeddings == 512);
  CHECK(roberta.pad_token_id == 1);
  CHECK(roberta.position_offset() == 2);
  CHECK(parsed("roberta", R"("pad_token_id": 4)").position_offset() == 5);
}

TEST_CASE("bert config: DistilBERT and ELECTRA have fields and defaults of their own") {
  const BertConfig distil = parsed("distilbert", R"("dim": 24, "n_layers": 3, "n_heads": 2, "hidden_dim": 30, "activation": "relu", "layer_norm_eps": 1e-5)");
  CHECK(distil.family == BertFamily::distilbert);
  CHECK(distil.hidden_size == 24);
  CHECK(distil.embedding_size == 24);
  CHECK(distil.num_hidden_layers == 3);
  CHECK(distil.head_dim() == 12);
  CHECK(distil.intermediate_size == 30);
  CHECK(distil.activation == ActivationKind::relu);
  CHECK(distil.type_vocab_size == 0);
  CHECK(distil.layer_norm_eps == 1e-12);
  CHECK(parsed("distilbert", "").num_hidden_layers == 6);
  const BertConfig electra = parsed("electra", R"("summary_activation": "tanh")");
  CHECK(electra.embedding_size == 128);
  CHECK(electra.hidden_size == 256);
  CHECK(electra.num_attention_heads == 4);
  CHECK(electra.intermediate_size == 1024);
  CHECK(electra.summary_activation == ActivationKind::tanh);
  CHECK(electra.position_offset() == 0);
  const BertConfig multilingual = parsed("xlm-roberta", R"("vocab_size": 250002)");
  CHECK(multilingual.family == BertFamily::roberta);
  CHECK(multilingual.position_offset() == 2);
}

TEST_CASE("bert config: published shapes") {
  CHECK(BertConfig::published_names("electra") == std::vector<std::string>{"electra-small", "electra-base", "electra-large"});
  CHECK(BertConfig::published("electra-small").embedding_size == 128);
  CHECK(BertConfig::published("xlm-roberta-base").vocab_size == 250002);
  CHECK(BertConfig::published("bert-base").hidden_size == 768);
  CHECK(BertConfig::published("bert-large").num_hidden_layers == 24);
  CHECK(BertConfig::published("roberta-base").max_position_embeddings == 514);
  CHECK(BertConfig::published("roberta-large").head_dim() == 64);
  for (const auto* name : {"bert-small", "albert-base", "base", ""}) CHECK_THROWS_AS((void)BertConfig::published(name), ConfigError);
}

TEST_CASE("bert config: senseless fields and other architectures are named") {
  CHECK_THROWS_WITH_AS((void)parsed("deberta", ""), "config.json: model_type is 'deberta'; wanted bert, roberta, xlm-roberta, distilbert or electra",
                       UnsupportedError);
  CHECK_THROWS_WITH_AS((void)parsed("distilbert", R"("n_heads": 7)"), "config.json: dim is 768 and n_heads 7; wanted a multiple", FileError);
  CHECK_THROWS_WITH_AS((void)parsed("bert", R"("num_attention_heads": 7)"), "config.json: hidden_size is 768 and num_attention_heads 7; wanted a multiple",
                       FileError);
  CHECK_THROWS_WITH_AS((void)parsed("bert", R"("is_decoder": true)"), "config.json: field 'is_decoder' is true; wanted false", UnsupportedError);
  CHECK_THROWS_WITH_AS((void)parsed("bert", R"("position_embedding_type": "relative_key")"),
                       "config.json: position_embedding_type is 'relative_key'; wanted absolute", UnsupportedError);
  CHECK_THROWS_AS((void)parsed("bert", R"("layer_norm_eps": 0)"), FileError);
  CHECK_THROWS_AS((void)parsed("roberta", R"("max_position_embeddings": 2)"), FileError);
}

}  // namespace bert_config_test
