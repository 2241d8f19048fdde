#include "models/gpt_neox/config.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace gpt_neox_config_test {

using namespace preamble;

namespace {

GptNeoxConfig parsed(const std::string& fields) { return GptNeoxConfig::read(JsonFile::parse("{" + fields + "}", "config.json")); }

}  // namespace

TEST_CASE("gpt-neox config: reads the shape of the model") {
  const GptNeoxConfig c = parsed(R"("vocab_size": 119, "hidden_size": 48, "intermediate_size": 72, "num_hidden_layers": 2,
    "num_attention_heads": 3, "layer_norm_eps": 1e-6, "use_parallel_residual": false, "attention_bias": false, "rotary_pct": 0.5)");
  CHECK(c.vocab_size == 119);
  CHECK(c.head_dim() == 16);
  CHECK(c.rotary.options.columns == 8);
  CHECK(c.layer_norm_eps == 1e-6);
  CHECK(!c.parallel_residual);
  CHECK(!c.attention_bias);
  const GptNeoxConfig plain = parsed("");
  CHECK(plain.parallel_residual);
  CHECK(plain.attention_bias);
  CHECK(plain.rotary.options.columns == 24);
}

TEST_CASE("gpt-neox config: senseless fields are named") {
  CHECK_THROWS_WITH_AS((void)parsed(R"("hidden_size": 30, "num_attention_heads": 4)"),
                       "config.json: hidden_size is 30 and num_attention_heads 4; wanted a multiple", FileError);
}

}  // namespace gpt_neox_config_test
