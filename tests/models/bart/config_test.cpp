#include "models/bart/config.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace bart_config_test {

using namespace preamble;

namespace {

BartConfig parsed(const std::string& fields) { return BartConfig::read(JsonFile::parse("{" + fields + "}", "config.json")); }

}  // namespace

TEST_CASE("bart config: reads both stacks") {
  const BartConfig c = parsed(R"("vocab_size": 103, "d_model": 32, "max_position_embeddings": 64, "encoder_layers": 2, "decoder_layers": 3,
    "encoder_attention_heads": 4, "decoder_attention_heads": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 40, "scale_embedding": true,
    "activation_function": "gelu_new", "pad_token_id": 5, "decoder_start_token_id": 6)");
  CHECK(c.vocab_size == 103);
  CHECK(c.max_position_embeddings == 64);
  CHECK(c.encoder.layers == 2);
  CHECK(c.decoder.layers == 3);
  CHECK(c.head_dim(c.encoder) == 8);
  CHECK(c.head_dim(c.decoder) == 16);
  CHECK(c.encoder.ffn_dim == 48);
  CHECK(c.decoder.ffn_dim == 40);
  CHECK(c.scale_embedding);
  CHECK(c.activation == ActivationKind::gelu_tanh);
  CHECK(c.pad_token_id == 5);
  CHECK(c.decoder_start_token_id == 6);
}

TEST_CASE("bart config: absent fields have transformers' defaults") {
  const BartConfig c = parsed("");
  CHECK(c.d_model == 1024);
  CHECK(c.encoder.layers == 12);
  CHECK(c.decoder.heads == 16);
  CHECK(c.activation == ActivationKind::gelu);
  CHECK(!c.scale_embedding);
  CHECK(c.pad_token_id == 1);
  CHECK(c.decoder_start_token_id == 2);
}

TEST_CASE("bart config: senseless fields and variants without a checkpoint are named") {
  CHECK_THROWS_WITH_AS((void)parsed(R"("decoder_attention_heads": 7)"), "config.json: d_model is 1024 and decoder_attention_heads 7; wanted a multiple",
                       FileError);
  CHECK_THROWS_WITH_AS((void)parsed(R"("vocab_size": 9, "pad_token_id": 9)"), "config.json: field 'pad_token_id' is 9; wanted a row of the vocabulary of 9",
                       FileError);
  CHECK_THROWS_WITH_AS((void)parsed(R"("normalize_before": true)"), "config.json: field 'normalize_before' is true; wanted false", UnsupportedError);
  CHECK_NOTHROW((void)parsed(R"("normalize_before": false, "normalize_embedding": true, "add_final_layer_norm": false)"));
}

}  // namespace bart_config_test
