#include "models/generate/score_processor.h"

#include <limits>

#include <doctest/doctest.h>

#include "tests/models/generate/golden_cases.h"

namespace score_processor_test {

using namespace preamble;

namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

void apply_all(const GenerationConfig& config, const History& history, std::vector<float>& values) {
  Scores scores(values);
  apply(make_processors(config), history, scores);
}

/// The scores 1, 2, ... 6 after the rules that `config` asks for.
std::vector<float> processed(const GenerationConfig& config, const std::vector<std::int32_t>& ids, std::int64_t prompt_length = 1) {
  std::vector<float> scores{1, 2, 3, 4, 5, 6};
  apply_all(config, {ids, length_floor(config, prompt_length), length_limit(config, prompt_length)}, scores);
  return scores;
}

std::vector<std::int32_t> banned(const std::vector<float>& scores) {
  std::vector<std::int32_t> found;
  for (std::size_t v = 0; v < scores.size(); ++v) {
    if (scores[v] == kBanned) found.push_back(static_cast<std::int32_t>(v));
  }
  return found;
}

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("score_processor: defaults ask for no rule") { CHECK(make_processors({}).empty()); }

TEST_CASE("score_processor: temperature, top-k and top-p equal transformers") {
  for (const auto& item : testing::golden_cases("generate/warpers.json")) {
    CAPTURE(item.dump());
    auto config = testing::options_of(item.at("options"));
    config.do_sample = true;
    auto scores = item.at("scores").get<std::vector<float>>();
    apply_all(config, {{}, 0, 100}, scores);
    const auto& expected = item.at("expected");
    REQUIRE(scores.size() == expected.size());
    for (std::size_t v = 0; v < scores.size(); ++v) {
      CAPTURE(v);
      CHECK(scores[v] == (expected[v].is_null() ? kBanned : expected[v].get<float>()));
    }
  }
}

TEST_CASE("score_processor: sampling options do nothing without sampling") {
  GenerationConfig config;
  config.temperature = 0.5;
  config.top_k = 1;
  config.top_p = 0.1;
  CHECK(make_processors(config).empty());
}

TEST_CASE("score_processor: the repetition penalty counts a token once and pushes negative scores down") {
  GenerationConfig config;
  config.repetition_penalty = 2;
  CHECK(processed(config, {1, 3, 1}) == std::vector<float>{1, 1, 3, 2, 5, 6});
  std::vector<float> negative{-1, -2, 0};
  const Ids ids{1, 1, 2};
  apply_all(config, {ids, 0, 9}, negative);
  CHECK(negative == std::vector<float>{-1, -4, 0});
}

TEST_CASE("score_processor: no n-gram occurs twice") {
  GenerationConfig config;
  config.no_repeat_ngram_size = 2;
  CHECK(banned(processed(config, {2, 4, 2, 5, 2})) == Ids{4, 5});
  CHECK(banned(processed(config, {2})).empty());
  CHECK(banned(processed(config, {3, 3})) == Ids{3});
  config.no_repeat_ngram_size = 1;
  CHECK(banned(processed(config, {2, 4, 2})) == Ids{2, 4});
  config.no_repeat_ngram_size = 3;
  CHECK(banned(processed(config, {0, 1, 5, 0, 1})) == Ids{5});
}

TEST_CASE("score_processor: bad words are banned behind their beginning, unless the history is shorter") {
  GenerationConfig config;
  config.eos_token_ids = {5};
  config.bad_words_ids = {{0}, {5}, {3, 1}, {2, 3, 4}};
  CHECK(banned(processed(config, {3})) == Ids{0});
  CHECK(banned(processed(config, {1, 3})) == Ids{0, 1});
  CHECK(banned(processed(config, {1, 2, 3})) == Ids{0, 1, 4});
}

TEST_CASE("score_processor: end tokens wait for the minimum length, of new tokens or of all") {
  GenerationConfig config;
  config.eos_token_ids = {0, 5};
  config.min_length = 3;
  CHECK(banned(processed(config, {1, 2}, 2)) == Ids{0, 5});
  CHECK(banned(processed(config, {1, 2, 3}, 2)).empty());
  config.min_new_tokens = 2;
  CHECK(banned(processed(config, {1, 2, 3}, 2)) == Ids{0, 5});
  CHECK(banned(processed(config, {1, 2, 3, 4}, 2)).empty());
  config.min_new_tokens = 0;
  CHECK(banned(processed(config, {1}, 1)).empty());
}

TEST_CASE("score_processor: forced tokens stand first and last") {
  GenerationConfig config;
  config.max_new_tokens = 3;
  config.forced_bos_token_id = 2;
  config.forced_eos_token_id = 4;
  CHECK(processed(config, {1}) == std::vector<float>{kBanned, kBanned, 0, kBanned, kBanned, kBanned});
  CHECK(banned(processed(config, {1, 2})).empty());
  CHECK(processed(config, {1, 2, 3}) == std::vector<float>{kBanned, kBanned, kBanned, kBanned, 0, kBanned});
}

TEST_CASE("score_processor: suppressed tokens are banned after a token was forced") {
  GenerationConfig config;
  config.suppress_tokens = {1, 3};
  CHECK(banned(processed(config, {0})) == Ids{1, 3});
  config.forced_bos_token_id = 2;
  CHECK(processed(config, {0})[2] == 0);
}

}  // namespace score_processor_test
