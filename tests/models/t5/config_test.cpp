#include "models/t5/config.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace t5_config_test {

using namespace preamble;

namespace {

T5Config parsed(const std::string& fields) { return T5Config::read(JsonFile::parse("{" + fields + "}", "config.json")); }

}  // namespace

TEST_CASE("t5 config: reads the shape of the model") {
  const T5Config c =
      parsed(R"("vocab_size": 113, "d_model": 36, "d_kv": 8, "d_ff": 44, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 5,
    "relative_attention_num_buckets": 16, "relative_attention_max_distance": 20, "layer_norm_epsilon": 1e-5, "eos_token_id": 2,
    "pad_token_id": 3, "decoder_start_token_id": 4)");
  CHECK(c.vocab_size == 113);
  CHECK(c.d_model == 36);
  CHECK(c.inner() == 40);
  CHECK(c.d_ff == 44);
  CHECK(c.num_layers == 2);
  CHECK(c.num_decoder_layers == 3);
  CHECK(c.relative_attention_num_buckets == 16);
  CHECK(c.relative_attention_max_distance == 20);
  CHECK(c.layer_norm_epsilon == 1e-5);
  CHECK(c.pad_token_id == 3);
  CHECK(c.eos_token_id == 2);
  CHECK(c.decoder_start_token_id == 4);
}

TEST_CASE("t5 config: absent fields have transformers' defaults") {
  const T5Config c = parsed("");
  CHECK(c.vocab_size == 32128);
  CHECK(c.d_model == 512);
  CHECK(c.num_decoder_layers == 6);
  CHECK(c.activation == ActivationKind::relu);
  CHECK(!c.gated);
  CHECK(c.scale_decoder_outputs);
  CHECK(parsed(R"("num_layers": 9)").num_decoder_layers == 9);
  CHECK(parsed(R"("pad_token_id": 7)").decoder_start_token_id == 7);
}

TEST_CASE("t5 config: gated-gelu means the tanh form, other names mean what they say") {
  const auto projection = [](const std::string& name) { return parsed("\"feed_forward_proj\": \"" + name + "\""); };
  CHECK(projection("gated-gelu").activation == ActivationKind::gelu_tanh);
  CHECK(projection("gated-gelu").gated);
  CHECK(projection("gated-silu").activation == ActivationKind::silu);
  CHECK(projection("gelu_new").activation == ActivationKind::gelu_tanh);
  CHECK(projection("gelu").activation == ActivationKind::gelu);
  CHECK(!projection("relu").gated);
  CHECK(projection("gated-mish").activation == ActivationKind::mish);
  CHECK_THROWS_WITH_AS((void)projection("gated-laplace"), doctest::Contains("config.json: the activation 'laplace' was given; wanted one of gelu, gelu_10"),
                       UnsupportedError);
}

TEST_CASE("t5 config: the decoder's output is scaled unless the file says otherwise, in either dialect") {
  CHECK(parsed("").scale_decoder_outputs);
  CHECK(parsed(R"("tie_word_embeddings": true)").scale_decoder_outputs);
  CHECK(!parsed(R"("tie_word_embeddings": false)").scale_decoder_outputs);
  // transformers 5 writes tie_word_embeddings: true for every T5
  CHECK(!parsed(R"("tie_word_embeddings": true, "scale_decoder_outputs": false)").scale_decoder_outputs);
  CHECK(parsed(R"("tie_word_embeddings": false, "scale_decoder_outputs": true)").scale_decoder_outputs);
}

TEST_CASE("t5 config: mt5 and umt5 have transformers' defaults of their own, and an mt5 is never scaled") {
  const T5Config mt5 = parsed(R"("model_type": "mt5")");
  CHECK(mt5.vocab_size == 250112);
  CHECK(mt5.num_layers == 8);
  CHECK(mt5.num_decoder_layers == 8);
  CHECK(mt5.num_heads == 6);
  CHECK(mt5.d_ff == 1024);
  CHECK(mt5.gated);
  CHECK(mt5.activation == ActivationKind::gelu_tanh);
  CHECK(!mt5.scale_decoder_outputs);
  CHECK(!mt5.own_bias_tables);
  CHECK(!parsed(R"("model_type": "mt5", "tie_word_embeddings": true)").scale_decoder_outputs);
  const T5Config umt5 = parsed(R"("model_type": "umt5")");
  CHECK(umt5.own_bias_tables);
  CHECK(umt5.scale_decoder_outputs);
  CHECK(!parsed(R"("model_type": "umt5", "tie_word_embeddings": false)").scale_decoder_outputs);
}

TEST_CASE("t5 config: senseless fields are named") {
  CHECK_THROWS_WITH_AS((void)parsed(R"("d_model": 0)"), "config.json: field 'd_model' is 0; wanted a number from 1 to 268435456",
                       FileError);
  CHECK_THROWS_AS((void)parsed(R"("num_heads": -4)"), FileError);
  CHECK_THROWS_AS((void)parsed(R"("vocab_size": 1e18)"), FileError);
  CHECK_THROWS_AS((void)parsed(R"("d_ff": "large")"), FileError);
  CHECK_THROWS_WITH_AS((void)parsed(R"("vocab_size": 10, "pad_token_id": 10)"),
                       "config.json: field 'pad_token_id' is 10; wanted a row of the vocabulary of 10", FileError);
  CHECK_THROWS_AS((void)parsed(R"("decoder_start_token_id": -1)"), FileError);
}

TEST_CASE("t5 config: published shapes are those of v1.1") {
  const T5Config base = T5Config::published("t5-base");
  CHECK(base.d_model == 768);
  CHECK(base.num_layers == 12);
  CHECK(base.inner() == 768);
  CHECK(base.gated);
  CHECK(!base.scale_decoder_outputs);
  CHECK(T5Config::published("t5-xxl").d_ff == 10240);
  CHECK_THROWS_WITH_AS((void)T5Config::published("t5-tiny"),
                       "model shape: 't5-tiny' was given; wanted t5-, mt5- or umt5-small, -base, -large (no umt5), -xl or -xxl", ConfigError);
  CHECK(T5Config::published("mt5-base").vocab_size == 250112);
  CHECK(T5Config::published("umt5-xl").own_bias_tables);
  for (const auto* name : {"umt5-large", "xt5-base", "base", "t5base"}) CHECK_THROWS_AS((void)T5Config::published(name), ConfigError);
}

}  // namespace t5_config_test
