#include "peft/training_step.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/parallel.h"
#include "engine/runtime/explain.h"
#include "models/deberta/deberta.h"
#include "tests/support/bert_models.h"
#include "tests/support/golden.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/graphs.h"
#include "tests/support/residence.h"
#include "tests/support/t5_models.h"
#include "tests/support/values.h"

namespace training_step_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

TrainingStepOptions accumulating(TrainingStepOptions options) {
  options.accumulate = true;
  return options;
}

/// A new classifier on a small DeBERTa, which is the only thing that is trained.
struct Classifier {
  explicit Classifier(const TrainingStepOptions& options)
      : model(Deberta::open(golden("deberta-v2/model"))),
        step(loss_model(HeadedEncoder{*model, {Head::fresh(*model, HeadKind::sequence, 3, 7, "")}}, {2, 16}), NoMethod(),
             accumulating(options)) {}

  /// Loss and the gradient of the first trainable at an update.
  std::vector<double> at(std::int64_t update, std::size_t parts = 1) {
    std::vector<LossBatch> batches;
    for (std::size_t i = 0; i < parts; ++i) {
      EncoderBatch batch;
      batch.sequences = {{5, 17, 33, 8, 30}, {90, 44, 7}};
      batch.classes = {2, 0};
      batches.emplace_back(batch);
    }
    std::vector<double> numbers{step.differentiate(batches, update).loss};
    numbers.insert(numbers.end(), step.gradient(0).begin(), step.gradient(0).end());
    return numbers;
  }

  std::unique_ptr<Deberta> model;
  TrainingStep step;
};

TrainingStepOptions dropping(const DropoutRates& rates, std::uint64_t seed = 42, Budget memory = Budget::automatic()) {
  TrainingStepOptions options;
  options.memory = memory;
  options.dropout_seed = seed;
  options.dropout = rates;
  return options;
}

TrainingStepOptions dropping(double rate, std::uint64_t seed = 42, Budget memory = Budget::automatic()) {
  return dropping(DropoutRates{rate, rate}, seed, memory);
}

/// Loss and gradient of one update of a prompt.
using Update = std::function<std::vector<double>(const TrainingStepOptions&)>;

template <class Make>
Update update_of(LanguageModel& model, const LossBatch& batch, const Make& make) {
  return [&model, batch, make](const TrainingStepOptions& options) {
    TrainingStep step(make(), PromptTuning({random_prompt(3, model.width(), 4)}), options);
    std::vector<double> numbers{step.differentiate(std::span(&batch, 1), 5).loss};
    numbers.insert(numbers.end(), step.gradient(0).begin(), step.gradient(0).end());
    return numbers;
  };
}

/// One of each family.
std::vector<Update> updates() {
  static const auto t5 = golden_t5();
  static const auto bart = golden_bart();
  static const auto gpt2 = golden_gpt2();
  static const auto roberta = golden_roberta();
  static const auto deberta = Deberta::open(golden("deberta-v2/model"));
  EncoderBatch classes;
  classes.sequences = {{5, 17, 33, 8, 30}, {90, 44, 7}};
  classes.classes = {2, 0};
  CausalBatch causal;
  causal.sequences = {{5, 17, 33, 8, 30}, {90, 44, 7, 9}};
  causal.labels = {{kNoLabel, kNoLabel, kNoLabel, 8, 30}, {kNoLabel, 44, 7, 9}};
  const Seq2SeqCapacity capacity{3, 24, 24, 0};
  const auto encoder = [&](EncoderModel& model) {
    return update_of(model, classes, [&model] {
      return loss_model(HeadedEncoder{model, {Head::fresh(model, HeadKind::sequence, 3, 7, "")}}, {2, 16});
    });
  };
  return {update_of(*t5, small_batch(), [capacity] { return loss_model(*t5, capacity); }),
          update_of(*bart, small_batch(), [capacity] { return loss_model(*bart, capacity); }),
          update_of(*gpt2, causal,
                    [] {
                      return loss_model(*gpt2, CausalCapacity{2, 16});
                    }),
          encoder(*roberta), encoder(*deberta)};
}

}  // namespace

TEST_CASE("training step: dropout masks are functions of seed, update and part") {
  Classifier first(dropping(0.2));
  Classifier again(dropping(0.2));
  const auto fifth = first.at(5);
  CHECK(first.at(6) != fifth);
  // whatever ran before: a resumed run equals a straight one
  CHECK(again.at(5) == fifth);
  CHECK(Classifier(dropping(0.2, 43)).at(5) != fifth);
  CHECK(Classifier(dropping(0)).at(5) == Classifier({}).at(0));
  CHECK(Classifier(dropping(0)).at(5) != fifth);
  // the same sequences in two parts are dropped apart: the mean differs from each
  CHECK(first.at(5, 2).front() != doctest::Approx(fifth.front()).epsilon(1e-6));
}

TEST_CASE("training step: recomputation sees the masks of the forward pass") {
  const auto kept = Classifier(dropping(0.2, 42, Budget::none())).at(5);
  const auto recomputed = Classifier(dropping(0.2, 42, Budget::smallest())).at(5);
  REQUIRE(kept.size() == recomputed.size());
  for (std::size_t i = 0; i < kept.size(); ++i) CHECK(recomputed[i] == doctest::Approx(kept[i]).epsilon(1e-5));
}

TEST_CASE("training step: every family trains with dropout, whatever the threads and the memory") {
  for (const auto& update : updates()) {
    const auto plain = update({});
    const auto both = update(dropping(0.2));
    CHECK(update(dropping({0.2, 0})) != both);
    CHECK(update(dropping({0, 0.2})) != both);
    CHECK(update(dropping({0.2, 0})) != plain);
    CHECK(update(dropping({0, 0.2})) != plain);
    set_threads(1);
    CHECK(update(dropping(0.2)) == both);
    set_threads(0);
    check_close(update(dropping(0.2, 42, Budget::smallest())), update(dropping(0.2, 42, Budget::none())), 1e-5);
  }
}

TEST_CASE("training step: dropped numbers of a prefix get no gradient") {
  const auto model = golden_bert();
  const PrefixTuning method = deep_prompt(*model, 1, 3);
  const auto numbers = [&](double rate) {
    TrainingStep step(loss_model(HeadedEncoder{*model, {Head::fresh(*model, HeadKind::sequence, 3, 7, "")}}, {2, 16}), method,
                      dropping({0, 0, rate}));
    EncoderBatch batch;
    batch.sequences = {{5, 17, 33, 8, 30}, {90, 44, 7}};
    batch.classes = {2, 0};
    const double loss = step.differentiate(std::vector<LossBatch>{batch}, 5).loss;
    const auto gradient = step.gradient(0);
    return std::pair(loss, std::ranges::count(gradient, 0.0F));
  };
  const auto [plain, none] = numbers(0);
  const auto [loss, zeros] = numbers(0.5);
  CHECK(loss != plain);
  CHECK(none == 0);
  // of 128 numbers
  CHECK(zeros > 32);
  CHECK(zeros < 96);
}

TEST_CASE("training step: rates of 0 compile to the program without dropout, and masks of probabilities take no memory") {
  const auto model = golden_t5();
  const PromptTuning method({random_prompt(3, model->width(), 4)});
  const auto plan_of = [&](const TrainingStepOptions& options) {
    const TrainingStep step(*model, method, Seq2SeqCapacity{3, 16, 16, 0}, options);
    return std::pair(ops_of(step.program().graph()), step.program().arena_bytes());
  };
  const auto plain = plan_of({});
  CHECK(plan_of(dropping(0)) == plain);
  CHECK(plan_of(dropping(0.1)).first != plain.first);
  const auto probabilities = plan_of(dropping({0, 0.1}));
  CHECK(probabilities.first == plain.first);
  // the key
  CHECK(probabilities.second <= plain.second + 64);
}

TEST_CASE("training step: no value of a healthy step of any family is taken for an anomaly") {
  for (const auto& update : updates()) {
    for (const double rate : {0.0, 0.2}) {
      TrainingStepOptions options = dropping(rate);
      const auto plain = update(options);
      options.detect_anomaly = true;
      CHECK(update(options) == plain);
      options.memory = Budget::smallest();
      CHECK_NOTHROW(update(options));
    }
  }
}

TEST_CASE("training step: an anomaly names the node, and the tensor of the model that holds it") {
  const auto model = golden_t5();
  TrainingStepOptions options;
  options.detect_anomaly = true;
  const PromptTuning method({random_prompt(3, 36, 4)});
  TrainingStep step(*model, method, small_batch().capacity(), options);
  const std::vector<LossBatch> parts = {small_batch()};
  CHECK_NOTHROW((void)step.differentiate(parts, 3));
  Tensor prompt = method.trainables()[0].value;
  prompt.values<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  uploaded(prompt);
  std::string message;
  try {
    (void)step.differentiate(parts, 3);
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK_MESSAGE(message.starts_with("training: step 4: nan from "), message);
  CHECK_MESSAGE(message.ends_with(", which reads 'prompt_embeddings', where it stands already; nothing was updated"), message);
}

TEST_CASE("training step: parts are refused unless gradients are summed, and an update without an optimizer is") {
  const auto model = golden_t5();
  const PromptTuning method({random_prompt(3, 36, 4)});
  const std::vector<LossBatch> parts = {small_batch(), small_batch()};
  TrainingStep one(*model, method, small_batch().capacity(), {});
  CHECK_THROWS_WITH_AS((void)one.differentiate(parts),
                       "training: a batch in 2 parts was given; wanted one, for gradients are not accumulated", ConfigError);
  CHECK_THROWS_WITH_AS((void)one.update(std::span(parts).first(1), 0.1),
                       "training: an update was asked for before `optimize_with`; wanted an optimizer", ConfigError);
  TrainingStep summing(*model, method, small_batch().capacity(), accumulating({}));
  const StepResult two = summing.differentiate(parts);
  const std::vector<float> gradient(summing.gradient(0).begin(), summing.gradient(0).end());
  const StepResult whole = one.differentiate(std::span(parts).first(1));
  CHECK(two.loss == doctest::Approx(whole.loss).epsilon(1e-6));
  for (std::size_t i = 0; i < gradient.size(); ++i) CHECK(gradient[i] == doctest::Approx(one.gradient(0)[i]).epsilon(1e-4));
  // sums of the last batch do not leak into the next
  (void)summing.differentiate(std::span(parts).first(1));
  CHECK(std::ranges::equal(summing.gradient(0), one.gradient(0)));
}

TEST_CASE("training step: sums take no more than the arena gives back, and the gradients") {
  const auto model = golden_t5({.frozen = freeze_none});
  const TrainingStep one(*model, NoMethod(), small_batch().capacity(), {});
  const TrainingStep summing(*model, NoMethod(), small_batch().capacity(), accumulating({}));
  CHECK(summing.program().arena_bytes() < one.program().arena_bytes());
  CHECK(summing.program().leaf_bytes(Role::state) >= gradient_bytes(one.program()));
  CHECK(summing.program().leaf_bytes(Role::state) <= gradient_bytes(one.program()) + 8);
}

TEST_CASE("training step: the loss of mixed tasks is the mean of their own means by rate, however long their targets") {
  const auto model = golden_t5();
  const PromptTuning method({random_prompt(4, model->embedding_width(), 3)});
  const auto batch_of = [](std::vector<std::size_t> which, const std::vector<std::int32_t>& tasks) {
    Seq2SeqBatch batch;
    for (const std::size_t i : which) {
      const Seq2SeqBatch one = sequence_of(small_batch(), i);
      batch.sources.push_back(one.sources[0]);
      batch.labels.push_back(one.labels[0]);
      batch.decoder_inputs.push_back(one.decoder_inputs[0]);
    }
    batch.tasks = tasks;
    return batch;
  };
  const auto at = [&](const Seq2SeqBatch& batch, std::vector<double> rates) {
    TrainingStepOptions options;
    options.task_rates = std::move(rates);
    TrainingStep step(*model, method, small_batch().capacity(), options);
    const LossBatch given = batch;
    std::vector<double> numbers{step.differentiate(std::span(&given, 1)).loss};
    numbers.insert(numbers.end(), step.gradient(0).begin(), step.gradient(0).end());
    return numbers;
  };
  // 3 labels of task 0; 4 and 2 of task 1
  const auto mixed = at(batch_of({0, 1, 2}, {0, 1, 1}), {0.3, 0.9});
  const auto first = at(batch_of({0}, {0}), {}), second = at(batch_of({1, 2}, {0, 0}), {});
  std::vector<double> expected;
  for (std::size_t i = 0; i < mixed.size(); ++i) expected.push_back(0.25 * first[i] + 0.75 * second[i]);
  check_close(mixed, expected, 1e-5);
  // a task that the batch has nothing of takes no part
  check_close(at(batch_of({0}, {0}), {0.3, 0.9}), first, 1e-6);
}

TEST_CASE("training step: parts of a mixed batch add up to the whole") {
  const auto model = golden_t5();
  const PromptTuning method({random_prompt(4, model->embedding_width(), 3)});
  Seq2SeqBatch whole = small_batch();
  whole.tasks = {0, 1, 1};
  std::vector<LossBatch> parts;
  for (std::size_t i = 0; i < 3; ++i) {
    Seq2SeqBatch part = sequence_of(whole, i);
    part.tasks = {whole.tasks[i]};
    parts.emplace_back(part);
  }
  TrainingStepOptions options;
  options.task_rates = {2, 1};
  TrainingStep straight(*model, method, small_batch().capacity(), options);
  TrainingStep cut(*model, method, small_batch().capacity(), accumulating(options));
  const LossBatch given = whole;
  CHECK(cut.differentiate(parts).loss == doctest::Approx(straight.differentiate(std::span(&given, 1)).loss));
  check_close(std::vector<double>(cut.gradient(0).begin(), cut.gradient(0).end()),
              std::vector<double>(straight.gradient(0).begin(), straight.gradient(0).end()), 1e-5);
}

}  // namespace training_step_test
