#include "models/rotary_config.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace rotary_config_test {

using namespace preamble;

namespace {

RotaryConfig parsed(const std::string& fields, const RotaryDefaults& defaults = {}) {
  return read_rotary(JsonFile::parse("{" + fields + "}", "config.json"), 16, 512, defaults);
}

}  // namespace

TEST_CASE("rotary config: files of transformers 4 and 5 say the same") {
  const std::string numbers = R"("factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64)";
  const auto five = parsed(R"("rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, )" + numbers + "}");
  const auto four = parsed(R"("rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", )" + numbers + "}");
  CHECK(five.options == four.options);
  CHECK(five.options.theta == 500000);
  CHECK(five.options.scaling == RotaryScaling::llama3);
  const RotaryDefaults part{.theta = 10000, .part = 0.25};
  const auto neox = parsed(R"("rotary_emb_base": 20000, "rotary_pct": 0.5, "rope_scaling": null)", part);
  CHECK(neox.options == parsed(R"("rope_parameters": {"rope_theta": 20000, "rope_type": "default", "partial_rotary_factor": 0.5})", part).options);
  CHECK(neox.options.columns == 8);
  CHECK(parsed("", part).options.columns == 4);
}

TEST_CASE("rotary config: without fields the default type of theta 10000, for sequences of any length") {
  const auto plain = parsed("");
  CHECK(plain.options.theta == 10000);
  CHECK(plain.options.columns == 16);
  CHECK(plain.options.scaling == RotaryScaling::none);
  CHECK(plain.options.attention_factor == 1);
  CHECK(plain.longest == 0);
}

TEST_CASE("rotary config: the type dynamic counts from the length of the pretraining") {
  const auto dynamic = parsed(R"("rope_scaling": {"type": "dynamic", "factor": 2.0})");
  CHECK(dynamic.longest == 0);
  CHECK(dynamic.options.scaling == RotaryScaling::dynamic);
  CHECK(dynamic.options.factor == 2);
  CHECK(dynamic.options.original_length == 512);
  CHECK(parsed(R"("rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 64})").options == dynamic.options);
  CHECK_THROWS_AS((void)parsed(R"("rope_scaling": {"type": "dynamic"})"), FileError);
  CHECK_THROWS_WITH_AS((void)parsed(R"("rope_scaling": {"type": "dynamic", "factor": 0.5})"),
                       "config.json: rope_scaling: the factor is 0.5, for 16 columns; wanted at least 1, for more than 2", FileError);
}

TEST_CASE("rotary config: the length of the pretraining stands in the section or beside it") {
  const std::string yarn = R"("rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64})";
  CHECK(parsed(yarn).options.original_length == 64);
  CHECK(parsed(R"("original_max_position_embeddings": 128, )" + yarn).options.original_length == 128);
  CHECK(parsed(R"("rope_scaling": {"type": "yarn", "factor": 4.0})").options.original_length == 512);
  // without a factor, or with null, that of both lengths
  CHECK(parsed(R"("rope_scaling": {"type": "yarn", "factor": null, "original_max_position_embeddings": 64})").options.factor == 8);
}

TEST_CASE("rotary config: longrope divides frequencies, and ends where its long factors would begin") {
  const std::string short_factors = R"("short_factor": [1, 1, 1, 1, 2, 2, 4, 4], )", same = R"("long_factor": [1, 1, 1, 1, 2, 2, 4, 4], )";
  const std::string begin = R"("rope_scaling": {"type": "longrope", "original_max_position_embeddings": 128, )";
  const auto one = parsed(begin + short_factors + same + R"("attention_factor": 1.0})");
  CHECK(one.options.scaling == RotaryScaling::divided);
  CHECK(one.longest == 0);
  CHECK(one.options.attention_factor == 1);
  const auto plain = rotary_frequencies(parsed("").options), divided = rotary_frequencies(one.options);
  CHECK(divided[3] == plain[3]);
  CHECK(divided[7] == doctest::Approx(plain[7] / 4));
  const auto two = parsed(begin + short_factors + R"("long_factor": [1, 1, 1, 1, 2, 2, 4, 8]})");
  CHECK(two.longest == 128);
  // √(1 + ln 4 / ln 128): 512 positions after 128
  CHECK(two.options.attention_factor == doctest::Approx(1.13389));
}

TEST_CASE("rotary config: senseless and unknown fields are named") {
  CHECK_THROWS_WITH_AS((void)parsed(R"("rope_scaling": {"type": "su", "factor": 4.0})"),
                       "config.json: rope_scaling: rope_type is 'su'; wanted default, dynamic, linear, llama3, longrope or yarn", UnsupportedError);
  CHECK_THROWS_WITH_AS((void)parsed(R"("rope_scaling": {"type": "longrope", "factor": 4.0})"),
                       "config.json: rope_scaling: field 'short_factor' is missing; wanted 8 positive numbers", FileError);
  CHECK_THROWS_WITH_AS((void)parsed(R"("rope_theta": -1)"), "config.json: field 'rope_theta' is -1; wanted a positive number", FileError);
  CHECK_THROWS_WITH_AS((void)parsed(R"("partial_rotary_factor": 0.2)"),
                       "config.json: 3 of 16 columns of a head are turned; wanted an even number of at most all", FileError);
  CHECK_THROWS_AS((void)parsed(R"("rope_scaling": {"type": "llama3", "factor": 4.0})"), FileError);
}

}  // namespace rotary_config_test
