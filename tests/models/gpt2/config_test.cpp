#include "models/gpt2/config.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace gpt2_config_test {

using namespace preamble;

namespace {

Gpt2Config parsed(const std::string& fields) { return Gpt2Config::read(JsonFile::parse("{" + fields + "}", "config.json")); }

}  // namespace

TEST_CASE("gpt2 config: reads the shape of the model") {
  const Gpt2Config c = parsed(R"("vocab_size": 97, "n_positions": 64, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_inner": 40,
    "layer_norm_epsilon": 1e-6, "activation_function": "gelu", "scale_attn_weights": false, "scale_attn_by_inverse_layer_idx": true)");
  CHECK(c.vocab_size == 97);
  CHECK(c.n_positions == 64);
  CHECK(c.n_embd == 32);
  CHECK(c.n_layer == 3);
  CHECK(c.head_dim() == 8);
  CHECK(c.n_inner == 40);
  CHECK(c.layer_norm_epsilon == 1e-6);
  CHECK(c.activation == ActivationKind::gelu);
  CHECK(!c.scale_attn_weights);
  CHECK(c.scale_attn_by_inverse_layer_idx);
}

TEST_CASE("gpt2 config: absent fields have transformers' defaults") {
  const Gpt2Config c = parsed(R"("n_embd": 1024, "n_head": 16, "n_inner": null)");
  CHECK(c.vocab_size == 50257);
  CHECK(c.n_positions == 1024);
  CHECK(c.n_inner == 4096);
  CHECK(c.activation == ActivationKind::gelu_tanh);
  CHECK(c.scale_attn_weights);
  CHECK(parsed(R"("n_ctx": 77)").n_positions == 77);
}

TEST_CASE("gpt2 config: senseless and unsupported fields are named") {
  CHECK_THROWS_WITH_AS((void)parsed(R"("n_layer": 0)"), "config.json: field 'n_layer' is 0; wanted a number from 1 to 268435456", FileError);
  CHECK_THROWS_WITH_AS((void)parsed(R"("n_embd": 30, "n_head": 4)"), "config.json: n_embd is 30 and n_head 4; wanted a multiple", FileError);
  CHECK_THROWS_WITH_AS((void)parsed(R"("add_cross_attention": true)"), "config.json: field 'add_cross_attention' is true; wanted false", UnsupportedError);
  CHECK_THROWS_AS((void)parsed(R"("activation_function": "laplace")"), UnsupportedError);
  CHECK_THROWS_AS((void)parsed(R"("layer_norm_epsilon": 0)"), FileError);
}

}  // namespace gpt2_config_test
