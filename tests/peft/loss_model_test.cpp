#include "peft/loss_model.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/prompt_tuning.h"
#include "peft/trainer.h"
#include "peft/training_step.h"
#include "tests/support/bert_models.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/prefixes.h"
#include "tests/support/t5_models.h"

namespace loss_model_test {

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
  CHECK(loss->inputs(batch, {}).labels() == 5);
  CHECK(loss->inputs(batch, {}).computed_rows() == 9);
}

TEST_CASE("loss model: an encoder-decoder shifts the target into its decoder") {
  const auto model = golden_t5();
  const auto loss = loss_model(*model, Seq2SeqCapacity{3, 8, 8, 0});
  const LossBatch batch = loss->batch_of(pointers(1));
  CHECK(std::get<Seq2SeqBatch>(batch).decoder_inputs == std::vector<Ids>{{0, 8}});
  CHECK(loss->inputs(batch, {}).labels() == 2);
  CHECK(loss->inputs(batch, {}).computed_rows() == 5);
}

TEST_CASE("loss model: training by parts gives what the whole batch gives") {
  const auto model = golden_gpt2();
  const PromptTuning method({random_prompt(3, 32, 4)});
  TrainingStepOptions options;
  options.accumulate = true;
  TrainingStep step(loss_model_for(*model, kExamples, {.sequences = 3}, 1), method, options);
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

namespace {

/// 6,000 examples of 4 to 9 source tokens and 3 target tokens.
std::vector<Example> many_examples() {
  std::vector<Example> examples;
  for (std::int32_t i = 0; i < 6000; ++i) examples.push_back(example(Ids(static_cast<std::size_t>(4 + i % 6), i % 90), {i % 90, 3, 1}));
  return examples;
}

/// Capacities of the row spaces of a loss with prompts of `rows` rows.
template <class Model>
std::map<std::string, RowSpace> spaces_of(Model& model, const std::vector<Example>& examples, const BatchRules& rules, std::int64_t rows,
                                          Placement placement = Placement::prefix) {
  Graph graph;
  std::vector<PromptSlot> slots = {{random_floats({rows, model.width()}, 1), rows}};
  const PromptTuning method(std::move(slots), placement);
  loss_model_for(model, examples, rules, 1)->build(graph, method.condition(graph), 0);
  std::map<std::string, RowSpace> spaces;
  for (const auto& space : graph.row_spaces()) spaces[space.name] = space;
  return spaces;
}

}  // namespace

TEST_CASE("loss model: under a limit of rows the capacity is that of a batch, not of all examples") {
  const std::vector<Example> examples = many_examples();
  const BatchRules rules{.source_rows = 512, .source_extra = 100};
  const auto t5 = golden_t5();
  const auto encoder_decoder = spaces_of(*t5, examples, rules, 100);
  // four sequences of at least 4 + 100 rows
  CHECK(encoder_decoder.at("source").segments == 4);
  CHECK(encoder_decoder.at("source").rows == 4 * 9);
  CHECK(encoder_decoder.at("encoder").rows == 4 * 109);
  CHECK(encoder_decoder.at("encoder.prompt").rows == 400);
  CHECK(encoder_decoder.at("decoder").rows == 4 * 3);
  const auto gpt2 = golden_gpt2();
  const auto joint = spaces_of(*gpt2, examples, {.source_rows = 300, .source_extra = 5}, 5, Placement::infix);
  // 25 sequences of at least 4 + 3 + 5 rows; tokens leave room for one infix at least
  CHECK(joint.at("tokens").segments == 25);
  CHECK(joint.at("tokens").rows == 295);
  CHECK(joint.at("rows").rows == 300);
  // no limit: as before, all that so many examples can have
  CHECK(spaces_of(*gpt2, examples, {.sequences = 8}, 5, Placement::infix).at("rows").rows == 8 * (12 + 5));
}

TEST_CASE("loss model: every batch that the rules form fits") {
  const auto model = golden_t5();
  std::vector<Example> examples = many_examples();
  examples.resize(300);
  for (std::size_t i = 0; i < examples.size(); i += 7) examples[i].source.resize(40, 5);
  for (const auto& rules : {BatchRules{.source_rows = 130, .source_extra = 20}, BatchRules{.source_rows = 64, .target_rows = 9},
                            BatchRules{.sequences = 3, .source_rows = 130, .source_extra = 20}}) {
    const auto spaces = spaces_of(*model, examples, rules, std::max<std::int64_t>(1, rules.source_extra));
    Batcher batcher(lengths_of(examples), rules);
    const std::int64_t steps = batcher.steps_per_epoch();
    for (std::int64_t step = 0; step < steps; ++step) {
      std::int64_t source = 0, target = 0, sequences = 0;
      for (const auto index : batcher.next()) {
        source += std::ssize(examples[index].source);
        target += std::ssize(examples[index].target);
        ++sequences;
      }
      CHECK(sequences <= spaces.at("source").segments);
      CHECK(source <= spaces.at("source").rows);
      CHECK(source + sequences * rules.source_extra <= spaces.at("encoder").rows);
      CHECK(target <= spaces.at("decoder").rows);
    }
  }
}

TEST_CASE("loss model: an encoder reads the source, and of an example's labels what its head wants") {
  const auto model = golden_bert();
  const HeadedEncoder encoder{*model,
                              {Head::fresh(*model, HeadKind::sequence, 3, 1, "0."), Head::fresh(*model, HeadKind::span, 2, 1, "1.")}};
  Example first{.source = {5, 17, 33}, .types = {0, 0, 1}, .label = 2};
  Example second{.source = {90, 4}, .begin = 0, .end = 1, .head = 1, .slot = 0};
  Example unlabelled{.source = {7}};
  const auto loss = loss_model(encoder, {3, 16});
  const LossBatch batch = loss->batch_of(std::vector<const Example*>{&first, &second, &unlabelled});
  const auto& made = std::get<EncoderBatch>(batch);
  CHECK(made.sequences == std::vector<Ids>{{5, 17, 33}, {90, 4}, {7}});
  CHECK(made.token_types == std::vector<Ids>{{0, 0, 1}, {0, 0}, {0}});
  CHECK(made.heads == Ids{0, 1, 0});
  CHECK(loss->inputs(batch, {}).labels() == 2);
  CHECK(loss->inputs(batch, {}).computed_rows() == 6);
  REQUIRE(loss->trainables().size() == 4);
  CHECK(loss->trainables()[2].name == "1.qa_outputs.bias");
}

TEST_CASE("loss model: a prompt and its head learn together what a small data set says") {
  const auto model = golden_roberta();
  const std::uint64_t hash = model->parameters().frozen_hash();
  std::vector<Example> examples;
  for (std::int32_t i = 0; i < 8; ++i) examples.push_back({.source = {0, 10 + i, 20 + 3 * i, 2}, .label = i % 3});
  TrainerOptions options;
  options.max_steps = 60;
  options.batches.sequences = 4;
  options.gradient_accumulation_steps = 2;
  options.learning_rate.peak = 0.02;
  const PrefixTuning method = deep_prompt(*model, 4, 3);
  Trainer trainer(
      {*model, {Head::fresh(*model, HeadKind::sequence, 3, 1, "base_model.")}}, method, examples,
      [](std::vector<Dims> shapes) { return make_adamw(std::move(shapes), {}); }, options);
  double first = 0;
  const TrainingResult result = trainer.fit({}, [&](const TrainingProgress& p) { first = p.step == 1 ? p.result.loss : first; });
  CHECK(result.last_loss < 0.5 * first);
  // prefix, and weight and bias of two layers
  CHECK(result.trainable_count == 4 * 3 * 2 * 40 + 40 * 40 + 40 + 3 * 40 + 3);
  CHECK(model->parameters().frozen_hash() == hash);
}

TEST_CASE("loss model: the choices of an example are sequences of one group, and stay together") {
  const auto model = golden_bert();
  const HeadedEncoder encoder{*model, {Head::fresh(*model, HeadKind::choice, 1, 1, "base_model.")}};
  const std::vector<Example> examples = {{.source = {5, 17, 33, 90, 4}, .types = {0, 0, 1, 0, 1}, .label = 1, .choices = {3, 2}},
                                         {.source = {7, 8, 9}, .label = 2, .choices = {1, 1, 1}},
                                         {.source = {11, 12}, .label = 0, .choices = {1, 1}}};
  const auto loss = loss_model_for(encoder, examples, {.sequences = 2}, 1);
  const auto batch = loss->batch_of(std::vector<const Example*>{&examples[0], &examples[1]});
  const auto& made = std::get<EncoderBatch>(batch);
  CHECK(made.sequences == std::vector<Ids>{{5, 17, 33}, {90, 4}, {7}, {8}, {9}});
  CHECK(made.token_types == std::vector<Ids>{{0, 0, 1}, {0, 1}, {0}, {0}, {0}});
  CHECK(made.groups == Ids{0, 0, 1, 1, 1});
  CHECK(made.classes == Ids{1, kNoLabel, 2, kNoLabel, kNoLabel});
  CHECK(loss->inputs(batch, {}).labels() == 2);
  Graph graph;
  loss->build(graph, {}, 0);
  // the two examples with the most sequences
  CHECK(graph.rows(graph.rows(headed::name(0, headed::kChoices))).rows == 5);
  const Example damaged{.source = {1, 2, 3}, .label = 0, .choices = {1, 1}};
  CHECK_THROWS_WITH_AS((void)loss->batch_of(std::vector<const Example*>{&damaged}), "example 0: choices of [1, 1] tokens; the source has 3",
                       ShapeError);

  TrainerOptions options;
  options.max_steps = 1;
  options.batches.sequences = 3;
  options.batches.shuffle = false;
  options.gradient_accumulation_steps = 2;
  const Trainer trainer(
      encoder, NoMethod(), examples, [](std::vector<Dims> shapes) { return make_adamw(std::move(shapes), {}); }, options);
  const auto parts = trainer.parts_of(std::vector<const Example*>{&examples[0], &examples[1], &examples[2]});
  REQUIRE(parts.size() == 2);
  CHECK(std::get<EncoderBatch>(parts[0]).sequences.size() == 5);
  CHECK(std::get<EncoderBatch>(parts[1]).sequences.size() == 2);
}

}  // namespace loss_model_test
