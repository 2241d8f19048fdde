#include "models/generate/generation_config.h"

#include <limits>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace generation_config_test {

using namespace preamble;

namespace {

void rejects(const GenerationConfig& config, const char* message) { CHECK_THROWS_WITH_AS(check(config, 10), message, ConfigError); }

}  // namespace

TEST_CASE("generation_config: new tokens take precedence over lengths") {
  GenerationConfig config;
  CHECK(length_limit(config, 7) == 27);
  CHECK(length_floor(config, 7) == 0);
  config.max_length = 12;
  config.min_length = 9;
  CHECK(length_limit(config, 7) == 12);
  CHECK(length_floor(config, 7) == 9);
  config.max_new_tokens = std::numeric_limits<int>::max();
  config.min_new_tokens = 0;
  CHECK(length_limit(config, 7) == 2147483654);
  CHECK(length_floor(config, 7) == 7);
}

TEST_CASE("generation_config: a beam step keeps enough candidates to go on") {
  GenerationConfig config;
  config.num_beams = 3;
  CHECK(candidate_count(config) == 6);
  config.eos_token_ids = {1};
  CHECK(candidate_count(config) == 6);
  config.eos_token_ids = {1, 2, 5};
  CHECK(candidate_count(config) == 12);
}

TEST_CASE("generation_config: sequences are filled with what transformers fills them with") {
  GenerationConfig config;
  config.eos_token_ids = {1, 7};
  CHECK(fill_token(config) == 1);
  config.pad_token_id = 0;
  CHECK(fill_token(config) == 0);
  config.num_beams = 2;
  CHECK(fill_token(config) == 1);
  config.pad_token_id = 3;
  CHECK(fill_token(config) == 3);
  config.eos_token_ids.clear();
  CHECK(fill_token(config) == -1);
}

TEST_CASE("generation_config: rejects what cannot be searched") {
  CHECK_NOTHROW(check({}, 10));
  GenerationConfig config;
  config.num_beams = 0;
  rejects(config, "num_beams: 0; wanted at least 1");
  config = {};
  config.num_beams = 2;
  config.num_return_sequences = 3;
  rejects(config, "num_return_sequences: 3; wanted at most num_beams, 2");
  config.num_beams = 1;
  rejects(config, "num_return_sequences: 3; wanted 1 for a greedy search");
  config = {};
  config.num_beams = 2;
  config.eos_token_ids = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  rejects(config, "num_beams: 2 with 10 end tokens and 10 tokens; wanted more tokens than end tokens");
  config = {};
  config.max_new_tokens = 0;
  rejects(config, "max_new_tokens: 0; wanted at least 1");
  config = {};
  config.length_penalty = std::numeric_limits<double>::infinity();
  rejects(config, "length_penalty: inf; wanted a finite number");
  config = {};
  config.repetition_penalty = 0;
  rejects(config, "repetition_penalty: 0; wanted a number above 0");
}

TEST_CASE("generation_config: rejects sampling options when sampling") {
  GenerationConfig config;
  config.temperature = 0;
  CHECK_NOTHROW(check(config, 10));
  config.do_sample = true;
  rejects(config, "temperature: 0; wanted a number above 0 (greedy search: do_sample off)");
  config.temperature = 1;
  config.top_p = 1.5;
  rejects(config, "top_p: 1.5; wanted a number in [0, 1]");
  config.top_p = 1;
  config.top_k = -1;
  rejects(config, "top_k: -1; wanted at least 0");
}

TEST_CASE("generation_config: rejects tokens outside of the vocabulary") {
  GenerationConfig config;
  config.eos_token_ids = {2, 10};
  rejects(config, "eos_token_id: 10; wanted a token id in [0, 10)");
  config = {};
  config.bad_words_ids = {{1}, {}};
  rejects(config, "bad_words_ids: an empty sequence; wanted at least one token in each");
  config.bad_words_ids = {{1, -1}};
  rejects(config, "bad_words_ids: -1; wanted a token id in [0, 10)");
  config = {};
  config.forced_bos_token_id = 11;
  rejects(config, "forced_bos_token_id: 11; wanted a token id in [0, 10)");
  config.forced_bos_token_id = 3;
  config.suppress_tokens = {3};
  rejects(config, "forced_bos_token_id: 3, which is also in suppress_tokens; wanted it in one of them");
}

}  // namespace generation_config_test
