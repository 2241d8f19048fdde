#include "models/deberta/config.h"

#include <cmath>
#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace deberta_config_test {

using namespace preamble;

namespace {

DebertaConfig read(const std::string& text) { return DebertaConfig::read(JsonFile::parse(text, "config.json")); }

constexpr const char* kSizes =
    R"("vocab_size": 100, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 12)";

DebertaConfig with(const std::string& fields) { return read(std::string("{") + kSizes + ", " + fields + "}"); }

}  // namespace

TEST_CASE("deberta config: the file of deberta-v3-base gives the published shape") {
  const DebertaConfig c =
      read(R"({"model_type": "deberta-v2", "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_size": 768,
      "intermediate_size": 3072, "max_position_embeddings": 512, "relative_attention": true, "position_buckets": 256,
      "norm_rel_ebd": "layer_norm", "share_att_key": true, "pos_att_type": "p2c|c2p", "layer_norm_eps": 1e-7, "max_relative_positions": -1,
      "position_biased_input": false, "num_attention_heads": 12, "num_hidden_layers": 12, "type_vocab_size": 0, "vocab_size": 128100})");
  const DebertaConfig p = DebertaConfig::published("deberta-v3-base");
  CHECK(c.hidden_size == p.hidden_size);
  CHECK(c.distances == p.distances);
  CHECK(c.share_att_key == p.share_att_key);
  CHECK(c.norm_distances == p.norm_distances);
  CHECK(c.position_biased_input == p.position_biased_input);
  CHECK(c.distance_rows() == 512);
  CHECK(c.scale() == doctest::Approx(1 / std::sqrt(3 * 64.0)));
}

TEST_CASE("deberta config: relative positions in all their spellings") {
  const DebertaConfig both = with(R"("relative_attention": true, "pos_att_type": ["p2c", "c2p"], "max_relative_positions": 6)");
  CHECK(both.content_to_position);
  CHECK(both.position_to_content);
  CHECK_FALSE(both.share_att_key);
  CHECK_FALSE(both.norm_distances);
  CHECK(both.distances == DisentangledPositions{.buckets = 0, .max_distance = 6});
  const DebertaConfig one =
      with(R"("relative_attention": true, "pos_att_type": "C2P", "position_buckets": 8, "max_position_embeddings": 64)");
  CHECK(one.content_to_position);
  CHECK_FALSE(one.position_to_content);
  CHECK(one.distances == DisentangledPositions{.buckets = 8, .max_distance = 64});
  CHECK(one.scale() == doctest::Approx(1 / std::sqrt(2 * 4.0)));
  const DebertaConfig none = with(R"("pos_att_type": "c2p|p2c")");
  CHECK(none.distance_rows() == 0);
  CHECK(none.scale() == doctest::Approx(1 / std::sqrt(3 * 4.0)));
  CHECK(with(R"("pos_att_type": null)").scale() == doctest::Approx(0.5));
}

TEST_CASE("deberta config: refuses what it does not compute") {
  CHECK_THROWS_WITH_AS(with(R"("conv_kernel_size": 3)"), "config.json: conv_kernel_size is 3; wanted 0: convolutions are not supported",
                       UnsupportedError);
  CHECK_THROWS_WITH_AS(with(R"("pos_att_type": "p2p")"), "config.json: pos_att_type has 'p2p'; wanted c2p or p2c", UnsupportedError);
  CHECK_THROWS_WITH_AS(
      with(R"("relative_attention": true, "position_buckets": 7)"),
      "config.json: position_buckets is 7 and the longest distance 512; wanted an even number and a distance from 5 to 1048576", FileError);
  CHECK_THROWS_WITH_AS(with(R"("pooler_hidden_size": 4)"), "config.json: pooler_hidden_size is 4; wanted 8", UnsupportedError);
  CHECK_THROWS_WITH_AS(static_cast<void>(DebertaConfig::published("deberta")),
                       "model shape: 'deberta' was given; wanted deberta-v3-base or deberta-v3-large", ConfigError);
}

}  // namespace deberta_config_test
