#include "models/generate/generate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/models/generate/golden_cases.h"

namespace generate_test {

using namespace preamble;

namespace {

using testing::Sequences;
using testing::ToyDecoder;
using testing::ToyModel;

ToyModel toy(std::int64_t vocabulary = 6, float scale = 4) { return {vocabulary, 0, 11, scale, {1}, 0}; }

GenerationConfig options(int beams, int new_tokens) {
  GenerationConfig config;
  config.num_beams = beams;
  config.max_new_tokens = new_tokens;
  config.eos_token_ids = {1};
  return config;
}

Sequences run(const ToyModel& model, const GenerationConfig& config, const Sequences& prompts, std::vector<std::uint64_t> streams = {}) {
  ToyDecoder decoder(model);
  auto found = generate(decoder, config, prompts, streams);
  CHECK(decoder.follows_sequence);
  CHECK(decoder.in_order);
  return found;
}

double log_probability(const ToyModel& model, const std::vector<std::int32_t>& ids, std::size_t prompt_length) {
  double sum = 0;
  for (std::size_t i = prompt_length; i < ids.size(); ++i) {
    const auto logits = model.logits(std::span(ids).first(i));
    double total = 0;
    for (const float x : logits) total += std::exp(static_cast<double>(x));
    sum += static_cast<double>(logits[static_cast<std::size_t>(ids[i])]) - std::log(total);
  }
  return sum;
}

/// The best sequence of all, by sum of log-probabilities / length^penalty.
std::pair<double, std::vector<std::int32_t>> exhaustive(const ToyModel& model, std::vector<std::int32_t> ids, std::size_t left,
                                                        double penalty, std::size_t prompt_length) {
  const bool ended = ids.size() > prompt_length && ids.back() == 1;
  if (ended || left == 0) {
    return {log_probability(model, ids, prompt_length) / std::pow(static_cast<double>(ids.size() - prompt_length), penalty), ids};
  }
  std::pair<double, std::vector<std::int32_t>> best{-std::numeric_limits<double>::infinity(), {}};
  for (std::int32_t v = 0; v < model.vocabulary; ++v) {
    ids.push_back(v);
    best = std::max(best, exhaustive(model, ids, left - 1, penalty, prompt_length));
    ids.pop_back();
  }
  return best;
}

/// The sequences of one prompt as transformers returns a batch: filled to the longest.
Sequences filled(Sequences sequences, std::int32_t fill) {
  std::size_t longest = 0;
  for (const auto& ids : sequences) longest = std::max(longest, ids.size());
  for (auto& ids : sequences) ids.resize(longest, fill);
  return sequences;
}

}  // namespace

TEST_CASE("generate: equals transformers for greedy and beam search under all options") {
  std::size_t greedy = 0;
  for (const auto& item : testing::golden_cases("generate/cases.json")) {
    CAPTURE(item.dump());
    const auto config = testing::options_of(item.at("options"));
    const auto prompts = item.at("prompts").get<Sequences>();
    const auto expected = item.at("expected").get<std::vector<Sequences>>();
    const auto found = run(testing::toy_model(item.at("model")), config, prompts);
    const auto per_answer = static_cast<std::ptrdiff_t>(found.size() / expected.size());
    REQUIRE(found.size() == prompts.size() * static_cast<std::size_t>(config.num_return_sequences));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto first = found.begin() + static_cast<std::ptrdiff_t>(i) * per_answer;
      CHECK(filled(Sequences(first, first + per_answer), fill_token(config)) == expected[i]);
    }
    greedy += config.num_beams == 1 ? 1U : 0U;
  }
  CHECK(greedy > 30);
}

TEST_CASE("generate: a beam search that keeps everything finds the best of all sequences") {
  const std::vector<std::int32_t> prompt{3, 0};
  for (const double penalty : {0.0, 0.7, 1.5}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      CAPTURE(penalty);
      CAPTURE(seed);
      ToyModel model = toy(5);
      model.seed = seed;
      auto config = options(625, 4);
      config.length_penalty = penalty;
      config.early_stopping = EarlyStopping::never;
      CHECK(run(model, config, {prompt}).front() == exhaustive(model, prompt, 4, penalty, prompt.size()).second);
    }
  }
}

TEST_CASE("generate: a greedy search takes the likeliest token until an end token") {
  const ToyModel model = toy();
  std::vector<std::int32_t> ids{2};
  do {
    const auto logits = model.logits(ids);
    ids.push_back(static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  } while (ids.back() != 1 && ids.size() < 41);
  CHECK(run(model, options(1, 40), {{2}}) == Sequences{ids});
}

TEST_CASE("generate: a batch gives what each prompt gives alone") {
  const Sequences prompts{{2}, {4, 4, 0}, {3, 5}, {0, 1, 2, 3, 4}};
  for (const int beams : {1, 4}) {
    for (const bool drawn : {false, true}) {
      CAPTURE(beams);
      CAPTURE(drawn);
      auto config = options(beams, 12);
      config.do_sample = drawn;
      config.seed = 5;
      config.num_return_sequences = beams > 1 || drawn ? 2 : 1;
      Sequences alone;
      for (std::size_t i = 0; i < prompts.size(); ++i) {
        for (auto& ids : run(toy(12), config, {prompts[i]}, {100 + i})) alone.push_back(ids);
      }
      CHECK(run(toy(12), config, prompts, {100, 101, 102, 103}) == alone);
    }
  }
}

TEST_CASE("generate: finished sequences take no rows") {
  ToyDecoder decoder(toy());
  const Sequences prompts{{2}, {4, 4, 0}, {3, 5}};
  const auto found = generate(decoder, options(1, 30), prompts);
  std::size_t rows = 0;
  // the last token of each is never fed
  for (std::size_t i = 0; i < found.size(); ++i) rows += found[i].size() - prompts[i].size() - 1;
  CHECK(decoder.fed == rows);
}

TEST_CASE("generate: sampling follows the distribution") {
  const ToyModel model = toy(6, 3);
  auto config = options(1, 1);
  config.do_sample = true;
  config.temperature = 0.8;
  config.num_return_sequences = 20000;
  std::vector<double> frequency(6);
  for (const auto& ids : run(model, config, {{2, 0}})) frequency[static_cast<std::size_t>(ids.back())] += 1.0 / 20000;
  const auto logits = model.logits(std::vector<std::int32_t>{2, 0});
  double total = 0;
  for (const float x : logits) total += std::exp(static_cast<double>(x) / 0.8);
  for (std::size_t v = 0; v < 6; ++v) {
    const double p = std::exp(static_cast<double>(logits[v]) / 0.8) / total;
    CAPTURE(v);
    CHECK(std::abs(frequency[v] - p) < 4.5 * std::sqrt(p * (1 - p) / 20000));
  }
}

TEST_CASE("generate: sampling depends on the seed, and with one token to choose from is greedy") {
  auto config = options(1, 20);
  config.eos_token_ids.clear();
  config.do_sample = true;
  const auto first = run(toy(), config, {{2}});
  CHECK(run(toy(), config, {{2}}) == first);
  config.seed = 1;
  CHECK(run(toy(), config, {{2}}) != first);
  config.top_k = 1;
  const auto single = run(toy(), config, {{2}});
  config.do_sample = false;
  CHECK(run(toy(), config, {{2}}) == single);
}

TEST_CASE("generate: no prompts give no sequences") { CHECK(run(toy(), options(3, 5), {}).empty()); }

TEST_CASE("generate: rejects prompts that do not fit") {
  ToyDecoder decoder(toy());
  const auto rejects = [&](const GenerationConfig& config, const Sequences& prompts, const char* message) {
    CHECK_THROWS_WITH_AS(static_cast<void>(generate(decoder, config, prompts)), message, ConfigError);
  };
  auto config = options(1, 5);
  rejects(config, {{2}, {}}, "generate: prompt 1 is empty; wanted at least one token");
  rejects(config, {{6}}, "generate: prompt 0 holds id 6; wanted ids in [0, 6)");
  rejects(config, {{-1}}, "generate: prompt 0 holds id -1; wanted ids in [0, 6)");
  config.max_new_tokens.reset();
  config.max_length = 2;
  rejects(config, {{3, 3}}, "generate: prompt 0 has 2 tokens; wanted fewer than max_length, 2");
  const std::vector<std::uint64_t> streams{1, 2};
  CHECK_THROWS_WITH_AS(static_cast<void>(generate(decoder, options(1, 5), Sequences{{2}}, streams)),
                       "generate: 2 streams for 1 prompts; wanted as many", ConfigError);
}

namespace {

/// Returns the same numbers for every call.
class FixedDecoder : public Decoder {
 public:
  explicit FixedDecoder(std::vector<float> logits) : logits_(std::move(logits)) {}
  [[nodiscard]] std::int64_t vocabulary() const override { return 3; }
  [[nodiscard]] ScoreRequest prepare(const ScoreRequest& wanted) override { return scored_.prepare(wanted); }
  [[nodiscard]] ScoreRows prefill(std::span<const std::vector<std::int32_t>> /*prompts*/, const ScoreQueries& queries) override {
    return scored_.score(logits_, 3, queries);
  }
  [[nodiscard]] ScoreRows step(std::span<const StepRow> rows, const ScoreQueries& queries) override {
    std::vector<float> logits;
    for (std::size_t r = 0; r < rows.size(); ++r) logits.insert(logits.end(), logits_.begin(), logits_.end());
    return scored_.score(logits, 3, queries);
  }

 private:
  testing::ScoredLogits scored_;
  std::vector<float> logits_;
};

/// Returns no rows at all.
class SilentDecoder : public FixedDecoder {
 public:
  using FixedDecoder::FixedDecoder;
  [[nodiscard]] ScoreRows prefill(std::span<const std::vector<std::int32_t>> /*prompts*/, const ScoreQueries& /*queries*/) override { return {}; }
};

}  // namespace

TEST_CASE("generate: rejects logits that are no numbers or too few") {
  for (const int beams : {1, 2}) {
    FixedDecoder broken({0, std::numeric_limits<float>::quiet_NaN(), 1});
    CHECK_THROWS_WITH_AS(static_cast<void>(generate(broken, options(beams, 5), Sequences{{2}})), "generate: a score is NaN; wanted numbers",
                         Error);
    SilentDecoder few({0, 1, 2});
    CHECK_THROWS_AS(static_cast<void>(generate(few, options(beams, 5), Sequences{{2}})), ShapeError);
    auto drawn = options(beams, 5);
    drawn.do_sample = true;
    CHECK_THROWS_WITH_AS(static_cast<void>(generate(few, drawn, Sequences{{2}})), "generate: the decoder returned 0 logits; wanted 1 rows of 3",
                         ShapeError);
  }
}

TEST_CASE("generate: of equal logits the first token wins") {
  FixedDecoder even({0, 0, 0});
  auto config = options(1, 1);
  config.eos_token_ids.clear();
  CHECK(generate(even, config, Sequences{{2}}) == Sequences{{2, 0}});
  config.num_beams = 2;
  CHECK(generate(even, config, Sequences{{2}}) == Sequences{{2, 0}});
}

}  // namespace generate_test
