#include "models/glm/config.h"

#include <map>
#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/glm/glm.h"

namespace glm_config_test {

using namespace preamble;

namespace {

GlmConfig read(const std::string& text) { return GlmConfig::read(JsonFile::parse(text, "config.json")); }

}  // namespace

TEST_CASE("GLM config: fields, defaults and the alias of the number of layers") {
  const GlmConfig c = read(R"({"max_sequence_length": 48, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4})");
  CHECK(c.num_layers == 3);
  CHECK(c.positions() == 49);
  CHECK(c.vocab_size == 30592);
  CHECK(c.head_dim() == 8);
  CHECK(c.activation == ActivationKind::gelu);
  CHECK(c.pool_token == "cls");
  CHECK(read(R"({"max_sequence_length": 48, "hidden_act": "gelu_pytorch_tanh"})").activation == ActivationKind::gelu_tanh);
  CHECK(read(R"({"max_sequence_length": 48, "block_position_encoding": false})").positions() == 48);
}

TEST_CASE("GLM config: the later model of that name is refused") {
  const std::string wanted =
      "config.json: model_type is 'glm' without max_sequence_length, or with rms_norm_eps: the later model with rotary positions; wanted the "
      "blank-filling GLM";
  CHECK_THROWS_WITH_AS(read(R"({"max_position_embeddings": 8192, "num_hidden_layers": 40, "rms_norm_eps": 1e-5})"), wanted.c_str(),
                       UnsupportedError);
  CHECK_THROWS_AS(read(R"({"max_sequence_length": 48, "hidden_size": 30, "num_attention_heads": 4})"), FileError);
}

TEST_CASE("GLM: published shapes have as many parameters as published") {
  const std::map<std::string, std::int64_t> millions = {{"glm-base", 109}, {"glm-large", 335}, {"glm-515m", 515}, {"glm-xlarge", 1920}, {"glm-xxlarge", 9880}};
  for (const auto& name : GlmConfig::published_names()) {
    CAPTURE(name);
    const GlmConfig c = GlmConfig::published(name);
    const std::int64_t d = c.hidden_size;
    const std::int64_t expected = c.num_layers * (12 * d * d + 13 * d) + c.vocab_size * d + 2 * c.positions() * d + 2 * d;
    CHECK(static_cast<double>(expected) / 1e6 == doctest::Approx(static_cast<double>(millions.at(name))).epsilon(0.01));
  }
  GlmConfig small = GlmConfig::published("glm-base");
  small.num_layers = 2;
  small.vocab_size = 50;
  Glm model(small, Parameters(untouched_source(), {}), {});
  Graph graph;
  (void)model.encode(graph, {}, {});
  std::int64_t count = 0;
  for (const auto& [name, tensor] : model.parameters().loaded()) count += tensor.count();
  const std::int64_t d = small.hidden_size;
  CHECK(count == 2 * (12 * d * d + 13 * d) + 50 * d + 2 * 513 * d + 2 * d);
  CHECK_THROWS_WITH_AS((void)GlmConfig::published("glm-2b"),
                       "model shape: 'glm-2b' was given; wanted glm-515m, glm-base, glm-large, glm-xlarge, glm-xxlarge", ConfigError);
}

}  // namespace glm_config_test
