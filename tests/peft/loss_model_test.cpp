#include "peft/loss_model.h"

#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/training_step.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/t5_models.h"

using namespace preamble;
using namespace preamble::testing;

namespace {

Example example(Ids source, Ids target) {
  Example made;
  made.source = std::move(source);
  made.target = std::move(target);
  return made;
}

const std::vector<Example> kExamples = {example({5, 17, 33}, {8, 30}), example({90}, {44, 7, 9}), example({12, 70}, {3})};

std::vector<const Example*> pointers(std::size_t count) {
  std::vector<const Example*> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(&kExamples[i]);
  return result;
}

}  // namespace

TEST_CASE("loss model: a decoder-only model reads source and target as one sequence, the target labelled") {
  const auto model = golden_gpt2();
  const auto loss = loss_model(*model, {3, 16});
  const LossBatch batch = loss->batch_of(pointers(2));
  const auto& made = std::get<CausalBatch>(batch);
  CHECK(made.sequences == std::vector<Ids>{{5, 17, 33, 8, 30}, {90, 44, 7, 9}});
  CHECK(made.labels == std::vector<Ids>{{kNoLabel, kNoLabel, kNoLabel, 8, 30}, {kNoLabel, 44, 7, 9}});
  CHECK(loss->label_count(batch, {}) == 5);
  CHECK(loss->rows(batch, {}) == 9);
}

TEST_CASE("loss model: an encoder-decoder shifts the target into its decoder") {
  const auto model = golden_t5();
  const auto loss = loss_model(*model, Seq2SeqCapacity{3, 8, 8, 0});
  const LossBatch batch = loss->batch_of(pointers(1));
  CHECK(std::get<Seq2SeqBatch>(batch).decoder_inputs == std::vector<Ids>{{0, 8}});
  CHECK(loss->label_count(batch, {}) == 2);
  CHECK(loss->rows(batch, {}) == 5);
}

TEST_CASE("loss model: training by parts gives what the whole batch gives") {
  const auto model = golden_gpt2();
  const PromptTuning method({random_prompt(3, 32, 4)});
  TrainingStep step(loss_model_for(*model, kExamples, {.sequences = 3}, 1), method, {});
  const std::vector<LossBatch> whole = {step.model().batch_of(pointers(3))};
  const StepResult together = step.differentiate(whole);
  const std::vector<float> gradient(step.gradient(0).begin(), step.gradient(0).end());
  std::vector<LossBatch> parts;
  for (const auto* one : pointers(3)) parts.push_back(step.model().batch_of(std::vector{one}));
  const StepResult apart = step.differentiate(parts);
  CHECK(apart.loss == doctest::Approx(together.loss).epsilon(1e-5));
  CHECK(apart.rows == together.rows);
  for (std::size_t i = 0; i < gradient.size(); ++i) CHECK(step.gradient(0)[i] == doctest::Approx(gradient[i]).epsilon(1e-3));
}

TEST_CASE("loss model: the capacity holds every batch that the rules allow, and no more than the examples need") {
  const auto model = golden_gpt2();
  const auto capacity = [&](const BatchRules& rules, std::int64_t parts) {
    Graph graph;
    loss_model_for(*model, kExamples, rules, parts)->build(graph, {}, 0);
    return graph.rows(graph.rows(causal::kTokens)).rows;
  };
  CHECK(capacity({.sequences = 3}, 1) == 12);
  CHECK(capacity({.sequences = 2}, 1) == 9);
  CHECK(capacity({.sequences = 2}, 2) == 5);
  CHECK_THROWS_AS((void)loss_model_for(*model, {}, {}, 1), ConfigError);
}
