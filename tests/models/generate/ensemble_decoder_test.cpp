#include "models/generate/ensemble_decoder.h"

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/generate/generate.h"
#include "tests/models/generate/toy_decoder.h"

namespace ensemble_decoder_test {

using namespace preamble;

namespace {

using testing::ToyModel;
using Tokens = std::vector<std::int32_t>;

constexpr std::int64_t kVocabulary = 7;
constexpr std::int32_t kMembers = 3;

ToyModel member(std::int32_t m) { return {kVocabulary, 0, 20 + static_cast<std::uint64_t>(m), 5, {1}, 0}; }

/// Whole rows of logits: sequence s is computed by model(s).
template <class Logits>
class RowsDecoder final : public Decoder {
 public:
  explicit RowsDecoder(Logits logits) : logits_(logits) {}

  [[nodiscard]] std::int64_t vocabulary() const override { return kVocabulary; }
  [[nodiscard]] ScoreRequest prepare(const ScoreRequest& wanted) override { return {.best = 0, .log_probabilities = wanted.log_probabilities}; }
  [[nodiscard]] ScoreRows prefill(std::span<const Tokens> prompts, const ScoreQueries&) override {
    rows_.assign(prompts.begin(), prompts.end());
    sequences_.clear();
    for (std::size_t i = 0; i < prompts.size(); ++i) sequences_.push_back(static_cast<std::int32_t>(i));
    return scores();
  }
  [[nodiscard]] ScoreRows step(std::span<const StepRow> rows, const ScoreQueries&) override {
    std::vector<Tokens> next;
    Tokens sequences;
    for (const auto& row : rows) {
      const auto parent = static_cast<std::size_t>(row.parent);
      CHECK(sequences_.at(parent) == row.sequence);
      CHECK((sequences.empty() || sequences.back() <= row.sequence));
      next.push_back(rows_.at(parent));
      next.back().push_back(row.token);
      sequences.push_back(row.sequence);
    }
    rows_ = std::move(next);
    sequences_ = std::move(sequences);
    return scores();
  }

 private:
  [[nodiscard]] ScoreRows scores() {
    all_.clear(), largest_.clear(), sums_.clear();
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::vector<float> row = logits_(sequences_[i], rows_[i]);
      const float top = *std::max_element(row.begin(), row.end());
      double sum = 0;
      for (const float x : row) sum += std::exp(static_cast<double>(x - top));
      all_.insert(all_.end(), row.begin(), row.end());
      largest_.push_back(top);
      sums_.push_back(static_cast<float>(std::log(sum)));
    }
    return {.logits = all_, .largest = largest_, .log_sum = sums_, .best_scores = {}, .best_tokens = {}, .asked_scores = {}};
  }

  Logits logits_;
  std::vector<Tokens> rows_;
  Tokens sequences_;
  std::vector<float> all_, largest_, sums_;
};

std::vector<float> together(const Tokens& ids, Combination combination) {
  std::vector<float> rows;
  for (std::int32_t m = 0; m < kMembers; ++m) {
    const auto row = member(m).logits(ids);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  std::vector<float> result(kVocabulary);
  combine_logits(rows, combination, result);
  return result;
}

std::vector<Tokens> generated(Decoder& decoder, int beams) {
  GenerationConfig config;
  config.num_beams = beams;
  config.max_new_tokens = 6;
  config.eos_token_ids = {1};
  const std::vector<Tokens> prompts = {{2}, {3, 4}, {5}};
  return generate(decoder, config, prompts, {});
}

}  // namespace

TEST_CASE("ensemble_decoder: probabilities are averaged as such, or by their logits") {
  const std::vector<float> rows = {0, std::log(3.0F), 0, 0};  // (1/4, 3/4) and (1/2, 1/2)
  std::vector<float> result(2);
  combine_logits(rows, Combination::probabilities, result);
  CHECK(result[0] == doctest::Approx(std::log(0.375)));
  CHECK(result[1] == doctest::Approx(std::log(0.625)));
  combine_logits(rows, Combination::logits, result);
  CHECK(result[0] == doctest::Approx(0));
  CHECK(result[1] == doctest::Approx(std::log(3.0) / 2));
}

TEST_CASE("ensemble_decoder: searches find what they find of the combined distribution") {
  for (const auto combination : {Combination::probabilities, Combination::logits}) {
    for (const int beams : {1, 3}) {
      const auto of_member = [](std::int32_t sequence, const Tokens& ids) { return member(sequence % kMembers).logits(ids); };
      RowsDecoder members(of_member);
      EnsembleDecoder ensemble(members, kMembers, combination);
      const auto of_all = [&](std::int32_t, const Tokens& ids) { return together(ids, combination); };
      RowsDecoder reference(of_all);
      CHECK(generated(ensemble, beams) == generated(reference, beams));
    }
  }
}

TEST_CASE("ensemble_decoder: one member at least") {
  const auto none = [](std::int32_t, const Tokens&) { return std::vector<float>(kVocabulary); };
  RowsDecoder inner(none);
  CHECK_THROWS_AS(EnsembleDecoder(inner, 0, Combination::logits), ConfigError);
}

}  // namespace ensemble_decoder_test
