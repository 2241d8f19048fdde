#include "peft/training_step.h"

#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/deberta/deberta.h"
#include "tests/support/golden.h"
#include "tests/support/t5_models.h"

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A new classifier on a small DeBERTa, which is the only thing that is trained.
struct Classifier {
  explicit Classifier(const TrainingStepOptions& options)
      : model(Deberta::open(golden("deberta-v2/model"))),
        step(loss_model(HeadedEncoder{*model, {Head::fresh(*model, HeadKind::sequence, 3, 7, "")}}, {2, 16}), NoMethod(), options) {}

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

TrainingStepOptions dropping(double rate, std::uint64_t seed = 42, Budget memory = Budget::automatic()) {
  TrainingStepOptions options;
  options.memory = memory;
  options.dropout_seed = seed;
  options.dropout = rate;
  return options;
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

TEST_CASE("training step: models without dropout refuse a rate") {
  const auto model = golden_t5();
  CHECK_THROWS_WITH_AS(TrainingStep(*model, NoMethod(), Seq2SeqCapacity{3, 8, 8, 0}, dropping(0.1)),
                       "dropout: a rate of 0.1 was given; wanted 0: only BERT, RoBERTa and DeBERTa have dropout", UnsupportedError);
}
