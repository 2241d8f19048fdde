#include "peft/tasks/ensemble_predictor.h"

#include <cmath>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/bert_models.h"

namespace ensemble_predictor_test {

using namespace preamble;

namespace {

const HeadedLimits::Shape kThreeClasses{HeadKind::sequence, 3};

std::vector<Example> sentences() {
  std::vector<Example> examples(3);
  examples[0].source = {5, 17, 29, 8};
  examples[1].source = {61, 4};
  examples[2].source = {5, 70, 33, 41, 2, 9};
  for (auto& example : examples) example.label = 0;
  return examples;
}

/// Two deep prompts of different lengths as the slots of one method.
PrefixTuning two_prompts(const EncoderModel& model) {
  std::vector<PrefixSlot> slots = testing::deep_prompt(model, 3, 1).slots();
  slots.push_back(testing::deep_prompt(model, 5, 2).slots().front());
  return PrefixTuning(std::move(slots), {.shifted = true});
}

}  // namespace

TEST_CASE("mean_prediction: classes have the logarithm of the mean of their probabilities") {
  const std::vector<HeadLogits> members = {{0, std::log(2.0F), 0}, {1, 1, 1}};
  const HeadLogits mean = mean_prediction(members, kThreeClasses);
  CHECK(std::exp(mean[0]) == doctest::Approx((0.25 + 1.0 / 3) / 2));
  CHECK(std::exp(mean[1]) == doctest::Approx((0.5 + 1.0 / 3) / 2));
}

TEST_CASE("mean_prediction: choices have the logarithm of the mean of their probabilities, however many there are") {
  const std::vector<HeadLogits> members = {{0, std::log(2.0F), 0}, {1, 1, 1}};
  const HeadLogits mean = mean_prediction(members, {HeadKind::choice, 1});
  CHECK(std::exp(mean[0]) == doctest::Approx((0.25 + 1.0 / 3) / 2));
  CHECK(std::exp(mean[1]) == doctest::Approx((0.5 + 1.0 / 3) / 2));
}

TEST_CASE("mean_prediction: each tagged word has its own probabilities") {
  const std::vector<HeadLogits> members = {{0, 0, 50, 0}, {0, 50, 50, 0}};
  const HeadLogits mean = mean_prediction(members, {HeadKind::tokens, 2});
  CHECK(std::exp(mean[1]) == doctest::Approx(0.75));
  CHECK(std::exp(mean[2]) == doctest::Approx(1));
}

TEST_CASE("mean_prediction: numbers and ends of answers are averaged as they are") {
  const std::vector<HeadLogits> members = {{1, 2, 3, 4}, {3, 2, 1, 0}};
  CHECK(mean_prediction(members, {HeadKind::span, 2}) == HeadLogits{2, 2, 2, 2});
  CHECK(mean_prediction(std::vector<HeadLogits>{{1}, {4}}, {HeadKind::sequence, 1}) == HeadLogits{2.5});
}

TEST_CASE("mean_prediction: predictions that don't fit are errors") {
  CHECK_THROWS_AS((void)mean_prediction({}, kThreeClasses), ShapeError);
  CHECK_THROWS_AS((void)mean_prediction(std::vector<HeadLogits>{{1, 2}}, kThreeClasses), ShapeError);
  CHECK_THROWS_AS((void)mean_prediction(std::vector<HeadLogits>{{1, 2, 3}, {1, 2, 3, 4, 5, 6}}, kThreeClasses), ShapeError);
}

TEST_CASE("predict_together: equals the mean of what each adapter predicts alone with its head") {
  const auto model = testing::golden_bert();
  HeadedEncoder together{*model, {}};
  std::vector<std::vector<HeadLogits>> alone;
  const auto examples = sentences();
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint64_t seed = i + 1;
    together.heads.push_back(Head::fresh(*model, HeadKind::sequence, 3, seed, "head" + std::to_string(i)));
    HeadedEncoder one{*model, {}};
    one.heads.push_back(Head::fresh(*model, HeadKind::sequence, 3, seed, "head"));
    alone.push_back(Predictor(one, testing::deep_prompt(*model, i == 0 ? 3 : 5, seed), 6).predict(examples));
  }
  Predictor predictor(together, two_prompts(*model), 6);
  const auto result = predict_together(predictor, examples, 2);
  REQUIRE(result.size() == examples.size());
  for (std::size_t e = 0; e < examples.size(); ++e) {
    const HeadLogits wanted = mean_prediction(std::vector<HeadLogits>{alone[0][e], alone[1][e]}, kThreeClasses);
    for (std::size_t c = 0; c < 3; ++c) CHECK(result[e][c] == doctest::Approx(wanted[c]).epsilon(1e-5));
  }
  CHECK_THROWS_AS((void)predict_together(predictor, examples, 3), ShapeError);
}

}  // namespace ensemble_predictor_test
