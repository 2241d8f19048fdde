#include "models/llama/config.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace llama_config_test {

using namespace preamble;

namespace {

LlamaConfig parsed(const std::string& type, const std::string& fields) {
  return LlamaConfig::read(JsonFile::parse("{\"model_type\": \"" + type + "\", " + fields + "}", "config.json"));
}

const std::string kShape = R"("vocab_size": 93, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
  "num_key_value_heads": 2)";

}  // namespace

TEST_CASE("llama config: reads the shape of the model") {
  const LlamaConfig c = parsed("llama", kShape + R"(, "head_dim": 12, "rms_norm_eps": 1e-5, "mlp_bias": true, "attention_bias": true, "pad_token_id": 7,
    "tie_word_embeddings": true)");
  CHECK(c.vocab_size == 93);
  CHECK(c.num_key_value_heads == 2);
  CHECK(c.head_dim == 12);
  CHECK(c.rotary.options.columns == 12);
  CHECK(c.rms_norm_eps == 1e-5);
  CHECK(c.activation == ActivationKind::silu);
  CHECK(c.query_bias);
  CHECK(c.output_bias);
  CHECK(c.mlp_bias);
  CHECK(c.pad_token_id == 7);
  CHECK(c.tied);
  CHECK(c.windows.empty());
  CHECK(parsed("llama", kShape + R"(, "head_dim": null, "pad_token_id": null)").head_dim == 8);
  CHECK(parsed("llama", kShape).pad_token_id == -1);
}

TEST_CASE("llama config: variants have their own biases and norms") {
  const LlamaConfig qwen2 = parsed("qwen2", kShape);
  CHECK(qwen2.query_bias);
  CHECK(!qwen2.output_bias);
  CHECK(!qwen2.head_norms);
  const LlamaConfig qwen3 = parsed("qwen3", kShape);
  CHECK(qwen3.head_norms);
  CHECK(!qwen3.query_bias);
  CHECK(qwen3.head_dim == 128);
  const LlamaConfig gemma = parsed("gemma", kShape + R"(, "hidden_act": "gelu", "head_dim": 10)");
  CHECK(gemma.gemma);
  CHECK(gemma.activation == ActivationKind::gelu_tanh);
  CHECK(gemma.tied);
}

TEST_CASE("llama config: windows are those of the layers that have one") {
  CHECK(parsed("mistral", kShape + R"(, "sliding_window": 5)").windows == std::vector<int>{5, 5, 5});
  CHECK(parsed("mistral", kShape + R"(, "sliding_window": null)").windows.empty());
  CHECK(parsed("mistral", kShape).windows == std::vector<int>{4096, 4096, 4096});
  const std::string window = kShape + R"(, "sliding_window": 4, "max_window_layers": 1)";
  CHECK(parsed("qwen2", window).windows.empty());
  CHECK(parsed("qwen2", window + R"(, "use_sliding_window": true)").windows == std::vector<int>{0, 4, 4});
  CHECK(parsed("qwen3", window + R"(, "use_sliding_window": true, "layer_types": ["sliding_attention", "full_attention", "full_attention"])").windows ==
        std::vector<int>{4, 0, 0});
  CHECK(parsed("llama", window).windows.empty());
}

TEST_CASE("llama config: senseless fields are named") {
  CHECK_THROWS_WITH_AS((void)parsed("llama", R"("num_attention_heads": 4, "num_key_value_heads": 3)"),
                       "config.json: num_attention_heads is 4 and num_key_value_heads 3; wanted a multiple", FileError);
  CHECK_THROWS_WITH_AS((void)parsed("qwen2", kShape + R"(, "use_sliding_window": true, "layer_types": ["full_attention"])"),
                       "config.json: layer_types has 1 entries; wanted 3", FileError);
  CHECK_THROWS_AS((void)parsed("llama", kShape + R"(, "pad_token_id": 93)"), FileError);
  CHECK_THROWS_AS((void)LlamaConfig::published("llama-9"), ConfigError);
}

}  // namespace llama_config_test
