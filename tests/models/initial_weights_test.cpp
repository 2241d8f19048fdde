#include "models/initial_weights.h"

#include <cmath>
#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/threads.h"
#include "tests/support/values.h"

namespace initial_weights_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::vector<double> values_of(const std::string& config, std::string_view name, const Dims& dims, std::uint64_t seed = 1) {
  return numbers(initial_source(JsonFile::parse(config, "config.json"), seed)->get(name, dims, Dtype::f32));
}

double deviation(const std::string& config, std::string_view name, const Dims& dims = {200, 100}) {
  double squares = 0;
  const auto values = values_of(config, name, dims);
  for (const double x : values) squares += x * x;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

const std::string kT5 = R"({"model_type": "t5", "d_model": 64, "d_kv": 16, "num_heads": 9, "d_ff": 100})";
const std::string kGpt2 = R"({"model_type": "gpt2", "n_layer": 8, "pad_token_id": 0})";
const std::string kBart = R"({"model_type": "bart", "init_std": 0.05, "pad_token_id": 1})";

}  // namespace

TEST_CASE("initial weights: T5's deviations follow the widths") {
  const auto is = [](std::string_view name, double expected) {
    CAPTURE(name);
    CHECK(deviation(kT5, name) == doctest::Approx(expected).epsilon(0.02));
  };
  is("shared.weight", 1);
  is("encoder.block.0.layer.0.SelfAttention.q.weight", 1 / std::sqrt(64.0 * 16));
  is("encoder.block.0.layer.0.SelfAttention.k.weight", 1 / 8.0);
  is("decoder.block.1.layer.1.EncDecAttention.v.weight", 1 / 8.0);
  is("decoder.block.1.layer.1.EncDecAttention.o.weight", 1 / 12.0);
  is("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 1 / 8.0);
  is("encoder.block.0.layer.1.DenseReluDense.wi_0.weight", 1 / 8.0);
  is("encoder.block.0.layer.1.DenseReluDense.wo.weight", 1 / 10.0);
  is("lm_head.weight", 1 / 8.0);
  for (const double x : values_of(kT5, "encoder.final_layer_norm.weight", {64})) CHECK(x == 1);
}

TEST_CASE("initial weights: the range of the config, GPT-2's projections of the residual smaller") {
  CHECK(deviation(kGpt2, "transformer.h.0.attn.c_attn.weight") == doctest::Approx(0.02).epsilon(0.02));
  CHECK(deviation(kGpt2, "transformer.h.0.attn.c_proj.weight") == doctest::Approx(0.005).epsilon(0.02));
  CHECK(deviation(kBart, "model.encoder.layers.0.fc1.weight") == doctest::Approx(0.05).epsilon(0.02));
  for (const double x : values_of(kGpt2, "transformer.h.0.ln_1.weight", {8})) CHECK(x == 1);
  for (const double x : values_of(kGpt2, "transformer.h.0.ln_1.bias", {8})) CHECK(x == 0);
}

TEST_CASE("initial weights: the padding token's embedding is 0 where it has one") {
  const auto rows = values_of(kBart, "model.shared.weight", {4, 5});
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK((rows[i] == 0) == (i / 5 == 1));
  for (const double x : values_of(kGpt2, "transformer.wte.weight", {4, 5})) CHECK(x != 0);
}

TEST_CASE("initial weights: a function of name and seed, with any number of threads") {
  const Dims dims = {300, 120};
  const auto values = values_of(kT5, "shared.weight", dims);
  CHECK(values != values_of(kT5, "lm_head.weight", dims));
  CHECK(values != values_of(kT5, "shared.weight", dims, 2));
  const Threads one(1);
  CHECK(values == values_of(kT5, "shared.weight", dims));
}

TEST_CASE("initial weights: refuse senseless fields") {
  CHECK_THROWS_WITH_AS((void)initial_source(JsonFile::parse(R"({"model_type": "gpt2", "initializer_range": 0})", "config.json"), 1),
                       "config.json: field 'initializer_range' is 0; wanted a positive number", FileError);
  CHECK_THROWS_AS((void)initial_source(JsonFile::parse("{}", "config.json"), 1), FileError);
}

}  // namespace initial_weights_test
