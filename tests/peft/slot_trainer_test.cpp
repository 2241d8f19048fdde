#include "peft/slot_trainer.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "models/gpt2/gpt2.h"
#include "peft/prompt_tuning.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/t5_models.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace slot_trainer_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// What three slots differ in: seed, learning rate, length.
struct Setting {
  std::uint64_t seed;
  double rate;
  std::int64_t tokens;
};
const std::vector<Setting> kSettings = {{1, 0.3, 3}, {2, 0.05, 7}, {3, 0.1, 1}};

std::vector<Example> examples_of(std::int64_t count) {
  Random random(5);
  std::vector<Example> examples;
  for (std::int64_t i = 0; i < count; ++i) {
    Example& example = examples.emplace_back();
    const std::uint32_t length = 1 + random.below(9);
    for (std::uint32_t t = 0; t < length; ++t) example.source.push_back(static_cast<std::int32_t>(2 + random.below(90)));
    const std::uint32_t labels = 1 + random.below(4);
    for (std::uint32_t t = 0; t < labels; ++t) example.target.push_back(static_cast<std::int32_t>(2 + random.below(90)));
    example.target.push_back(1);
  }
  return examples;
}

TrainerOptions options_of(const Setting& setting, std::int64_t steps = 7) {
  TrainerOptions options;
  options.max_steps = steps;
  options.batches.sequences = 4;
  options.batches.seed = setting.seed;
  options.batches.source_extra = setting.tokens;
  options.learning_rate = {.peak = setting.rate, .kind = ScheduleKind::linear, .total_steps = steps};
  options.step.max_grad_norm = 1;
  return options;
}

std::vector<TrainerOptions> all_options(std::int64_t steps = 7) {
  std::vector<TrainerOptions> options;
  for (const auto& setting : kSettings) options.push_back(options_of(setting, steps));
  return options;
}

PromptSlot prompt_of(const Setting& setting, std::int64_t width) { return random_prompt(setting.tokens, width, setting.seed); }

PromptTuning prompts(std::int64_t width) {
  std::vector<PromptSlot> slots;
  for (const auto& setting : kSettings) slots.push_back(prompt_of(setting, width));
  return PromptTuning(std::move(slots));
}

const Trainer::MakeOptimizer kAdamW = [](std::vector<Dims> shapes) { return make_adamw(std::move(shapes), {}); };
const Trainer::MakeOptimizer kAdafactor = [](std::vector<Dims> shapes) { return make_adafactor(std::move(shapes), {}); };

/// The prompt after a run of its own.
std::vector<double> alone(LanguageModel& model, const Setting& setting, const Trainer::MakeOptimizer& optimizer, std::int64_t steps = 7) {
  const PromptTuning method({prompt_of(setting, model.embedding_width())});
  Trainer(model, method, examples_of(10), optimizer, options_of(setting, steps)).fit();
  return numbers(method.trainables()[0].value);
}

void check_equal_to_single_runs(LanguageModel& model, const Trainer::MakeOptimizer& optimizer) {
  const PromptTuning method = prompts(model.embedding_width());
  const auto results = SlotTrainer(model, method, examples_of(10), optimizer, all_options()).fit();
  for (std::size_t i = 0; i < kSettings.size(); ++i) {
    CAPTURE(i);
    CHECK(numbers(method.trainables()[i].value) == alone(model, kSettings[i], optimizer));
    CHECK(results[i].steps == 7);
  }
}

}  // namespace

TEST_CASE("slot_trainer: each prompt of a T5 becomes to the bit what its own run makes of it") {
  const auto model = golden_t5();
  check_equal_to_single_runs(*model, kAdamW);
  check_equal_to_single_runs(*model, kAdafactor);
}

TEST_CASE("slot_trainer: each prompt of a decoder-only model too") {
  const auto model = golden_gpt2();
  check_equal_to_single_runs(*model, kAdamW);
}

TEST_CASE("slot_trainer: an interrupted run goes on to the same bits, and a slot's state is that of its own run") {
  const auto model = golden_t5();
  const TemporaryFolder folder;
  const auto options = [&](bool resume) {
    auto all = all_options();
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].output = folder.path() / std::to_string(i);
      std::filesystem::create_directories(all[i].output);
      all[i].save_steps = 3;
      all[i].resume = resume;
    }
    return all;
  };
  struct Death {};
  const PromptTuning first = prompts(model->embedding_width());
  SlotTrainer killed(*model, first, examples_of(10), kAdamW, options(false));
  CHECK_THROWS_AS((void)killed.fit({}, [](const SlotProgress& made) {
    if (made.progress.step == 5) throw Death();
  }), Death);
  const PromptTuning second = prompts(model->embedding_width());
  (void)SlotTrainer(*model, second, examples_of(10), kAdamW, options(true)).fit();
  for (std::size_t i = 0; i < kSettings.size(); ++i) CHECK(numbers(second.trainables()[i].value) == alone(*model, kSettings[i], kAdamW));
  // the state after the last step, read by a plain run: nothing is left to do
  const PromptTuning single({prompt_of(kSettings[1], model->embedding_width())});
  TrainerOptions own = options(true)[1];
  Trainer(*model, single, examples_of(10), kAdamW, own).fit();
  CHECK(numbers(single.trainables()[0].value) == numbers(second.trainables()[1].value));
}

TEST_CASE("slot_trainer: each slot keeps its own best evaluation") {
  const auto model = golden_t5();
  const PromptTuning method = prompts(model->embedding_width());
  auto options = all_options();
  for (auto& slot : options) slot.eval_steps = 1;
  std::vector<std::int64_t> evaluations(3);
  const std::vector<std::int64_t> best = {2, 7, 5};
  const auto results = SlotTrainer(*model, method, examples_of(10), kAdamW, options).fit([&](std::int32_t slot) {
    const auto s = static_cast<std::size_t>(slot);
    return ++evaluations[s] == best[s] ? 1.0 : 0.0;
  });
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(results[i].best_step == best[i]);
    CHECK(results[i].steps == 7);
  }
}

TEST_CASE("slot_trainer: a slot whose loss is not finite stops alone") {
  const auto model = golden_t5();
  std::vector<PromptSlot> slots;
  for (const auto& setting : kSettings) slots.push_back(prompt_of(setting, model->embedding_width()));
  slots[1].embeddings.values<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  const PromptTuning method(std::move(slots));
  SlotTrainer trainer(*model, method, examples_of(10), kAdamW, all_options());
  const auto results = trainer.fit();
  CHECK(results[1].steps == 0);
  CHECK(trainer.failure(1).find("step 1: the loss is nan") == 0);
  CHECK(trainer.failure(0).empty());
  for (const std::size_t i : {0U, 2U}) CHECK(numbers(method.trainables()[i].value) == alone(*model, kSettings[i], kAdamW));
}

TEST_CASE("slot_trainer: rejects what slots cannot share") {
  const auto model = golden_t5();
  const PromptTuning method = prompts(model->embedding_width());
  const auto rejected = [&](const std::function<void(TrainerOptions&)>& change) {
    auto options = all_options();
    change(options[1]);
    CHECK_THROWS_AS(SlotTrainer(*model, method, examples_of(10), kAdamW, options), ConfigError);
  };
  rejected([](TrainerOptions& o) { o.gradient_accumulation_steps = 2; });
  rejected([](TrainerOptions& o) { o.step.dropout.hidden = 0.1; });
  rejected([](TrainerOptions& o) { o.batches.sequences = 3; });
  rejected([](TrainerOptions& o) { o.batches.source_rows = 100; });
  CHECK_THROWS_AS(SlotTrainer(*model, method, examples_of(10), kAdamW, {options_of(kSettings[0])}), ConfigError);
}

}  // namespace slot_trainer_test
