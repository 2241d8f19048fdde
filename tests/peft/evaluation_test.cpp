#include "peft/evaluation.h"

#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/training_step.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/prefixes.h"

namespace evaluation_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

Example example(Ids source, Ids target, std::int32_t slot = 0) {
  Example made;
  made.source = std::move(source);
  made.target = std::move(target);
  made.slot = slot;
  return made;
}

}  // namespace

TEST_CASE("evaluation: examples with the same input and prompt are one") {
  const std::vector<Example> examples = {example({1, 2}, {3}), example({4}, {5}), example({1, 2}, {6}), example({1, 2}, {7}, 1)};
  const DistinctInputs distinct = DistinctInputs::of(examples);
  CHECK(distinct.index == std::vector<std::size_t>{0, 1, 0, 2});
  REQUIRE(distinct.examples.size() == 3);
  CHECK(distinct.examples[2].slot == 1);
}

TEST_CASE("evaluation: the loss is the mean over all target tokens, whatever the batches") {
  const auto model = golden_gpt2();
  const PromptTuning method({{random_floats({2, 32}, 3), 2}});
  const std::vector<Example> examples = {example({5, 17, 33}, {8, 30}), example({90}, {44, 7, 9}), example({12, 70}, {3})};
  TrainingStep step(loss_model_for(*model, examples, {.sequences = 3}, 1), method, {});
  std::vector<const Example*> all;
  for (const auto& one : examples) all.push_back(&one);
  const std::vector<LossBatch> whole = {step.model().batch_of(all)};
  const double expected = step.differentiate(whole).loss;
  CHECK(LossMeter(*model, method, examples, 2).run() == doctest::Approx(expected).epsilon(1e-5));
  CHECK(LossMeter(*model, method, examples).run() == doctest::Approx(expected).epsilon(1e-5));
}

TEST_CASE("evaluation: a loss wants target tokens") {
  const auto model = golden_gpt2();
  const NoMethod plain;
  LossMeter meter(*model, plain, {example({5, 17}, {})});
  CHECK_THROWS_WITH_AS((void)meter.run(), "evaluation: 1 examples without a target token; wanted one at least", ConfigError);
}

}  // namespace evaluation_test
