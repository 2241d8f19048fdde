#include "peft/p_tuning.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/optim/optimizer.h"
#include "peft/training_step.h"
#include "tests/support/graphs.h"
#include "tests/support/prefixes.h"
#include "tests/support/values.h"

namespace p_tuning_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

EncodedPrompt encoded(EncoderKind kind, std::int64_t rows, std::int64_t tokens, std::uint64_t seed) {
  return {PromptEncoder::random({kind, rows, 36, 6, 36, 2}, seed), tokens};
}

}  // namespace

TEST_CASE("P-tuning: the network's rows condition as the folded prompt does") {
  const auto model = golden_t5();
  for (const auto kind : {EncoderKind::mlp, EncoderKind::lstm}) {
    const PTuning method({encoded(kind, 4, 4, 1), encoded(kind, 6, 3, 2)});
    Seq2SeqBatch batch = small_batch();
    batch.slots = {0, 1, 1};
    const PromptTuning folded({method.prompts()[0].fold(), method.prompts()[1].fold()});
    check_close(numbers(logits_of(*model, method, batch)), numbers(logits_of(*model, folded, batch)), 1e-6);
  }
}

TEST_CASE("P-tuning: rows behind the prompt reach an LSTM, but not an MLP") {
  const auto model = golden_t5();
  for (const auto kind : {EncoderKind::mlp, EncoderKind::lstm}) {
    const PTuning method({encoded(kind, 6, 3, 2)});
    TrainingStep step(loss_model(*model, small_batch().capacity()), method, {});
    const std::vector<LossBatch> parts = {small_batch()};
    (void)step.differentiate(parts);
    REQUIRE(step.trainables()[0].name == "embedding.weight");
    double behind = 0;
    for (const float x : step.gradient(0).subspan(3 * 36)) behind += std::abs(static_cast<double>(x));
    CHECK((behind > 0) == (kind == EncoderKind::lstm));
  }
}

TEST_CASE("P-tuning: training changes every tensor of the network") {
  const auto model = golden_t5();
  const PTuning method({encoded(EncoderKind::lstm, 4, 4, 3)});
  std::vector<std::vector<double>> before;
  for (const auto& tensor : method.trainables()) before.push_back(numbers(tensor.value));
  TrainingStep step(loss_model(*model, small_batch().capacity()), method, {});
  const auto optimizer = make_adamw(step.shapes(), {});
  step.optimize_with(*optimizer);
  const std::vector<LossBatch> parts = {small_batch()};
  double first = 0, last = 0;
  for (int k = 0; k < 8; ++k) {
    (k == 0 ? first : last) = step.update(parts, 0.02, k).loss;
  }
  CHECK(last < first);
  const auto trained = method.trainables();
  for (std::size_t i = 0; i < trained.size(); ++i) {
    CAPTURE(trained[i].name);
    CHECK(numbers(trained[i].value) != before[i]);
  }
}

TEST_CASE("P-tuning: rejects prompts that do not fit together") {
  CHECK_THROWS_WITH_AS(PTuning({}), "P-tuning: no prompts were given; wanted one at least", ShapeError);
  CHECK_THROWS_WITH_AS(PTuning({encoded(EncoderKind::mlp, 3, 4, 1)}), "P-tuning: 3 rows were given for 4 virtual tokens", ShapeError);
  const EncodedPrompt narrow{PromptEncoder::random({EncoderKind::mlp, 3, 8, 6, 8, 2}, 1), 3};
  CHECK_THROWS_WITH_AS(PTuning({encoded(EncoderKind::mlp, 3, 3, 1), narrow}), "P-tuning: prompts are 36 and 8 wide; wanted one width",
                       ShapeError);
}

}  // namespace p_tuning_test
