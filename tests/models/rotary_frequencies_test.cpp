#include "models/rotary_frequencies.h"

#include <vector>

#include <doctest/doctest.h>

#include "models/rotary_config.h"

namespace rotary_frequencies_test {

using namespace preamble;

namespace {

RotaryConfig parsed(const std::string& fields, std::int64_t head_dim = 16) {
  return read_rotary(JsonFile::parse("{" + fields + "}", "config.json"), head_dim, 512);
}

/// Frequencies as transformers' functions give them in float32.
void check_frequencies(const std::string& fields, const std::vector<double>& expected) {
  CAPTURE(fields);
  const auto given = rotary_frequencies(parsed(fields).options);
  REQUIRE(given.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(given[i] == doctest::Approx(expected[i]).epsilon(1e-6));
}

}  // namespace

TEST_CASE("rotary frequencies: powers of theta, for the columns that are turned") {
  const auto f = rotary_frequencies({.columns = 4, .theta = 100});
  REQUIRE(f.size() == 2);
  CHECK(f[0] == 1);
  CHECK(f[1] == doctest::Approx(0.1));
}

TEST_CASE("rotary frequencies: every scaling is that of transformers") {
  check_frequencies(R"("rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64})",
                    {1.0, 0.079403013, 0.0047007538, 0.00091158313, 0.00017677668, 3.4281024e-05, 6.6478697e-06, 1.2891732e-06});
  const std::string yarn = R"("rope_theta": 10000.0, "rope_scaling": {"type": "yarn", "factor": 4.0, "beta_fast": 4.0, "beta_slow": 1.0,
    "original_max_position_embeddings": 32})";
  check_frequencies(yarn, {1.0, 0.19764236, 0.025, 0.0079056947, 0.0024999999, 0.00079056947, 0.00025000001, 7.9056947e-05});
  CHECK(parsed(yarn).options.attention_factor == doctest::Approx(1.138629436111989));
  const std::string fine = R"("rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "truncate": false, "mscale": 0.7,
    "mscale_all_dim": 0.3, "original_max_position_embeddings": 128})";
  check_frequencies(fine, {1.0, 0.22563748, 0.04270567, 0.0079056947, 0.0024999999, 0.00079056947, 0.00025000001, 7.9056947e-05});
  CHECK(parsed(fine).options.attention_factor == doctest::Approx(1.0532376815143234));
  check_frequencies(R"("rope_scaling": {"type": "linear", "factor": 2.5})",
                    {0.40000001, 0.1264911, 0.039999999, 0.012649111, 0.0039999997, 0.0012649111, 0.00040000002, 0.00012649111});
}

}  // namespace rotary_frequencies_test
