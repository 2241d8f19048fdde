#include "peft/made_up_training.h"

#include <initializer_list>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/prefix_tuning.h"
#include "peft/training_step.h"
#include "tests/support/bert_models.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/t5_models.h"

namespace made_up_training_test {

using namespace preamble;
using namespace preamble::testing;

TEST_CASE("made-up training: a batch of the given lengths, as each family reads it") {
  const BatchShape shape{.sequences = 2, .source = 5, .target = 3, .tokens = 7};
  const auto t5 = golden_t5();
  const auto gpt2 = golden_gpt2();
  CHECK(describe(shape, *t5) == "batch 2, 5 source tokens, 3 target tokens");
  CHECK(describe(shape, *gpt2) == "batch 2, 7 tokens");
  const auto of_t5 = made_up_examples(shape, *t5, 1);
  REQUIRE(of_t5.size() == 2);
  CHECK(of_t5[1].source.size() == 5);
  CHECK(of_t5[1].target.size() == 3);
  const auto of_gpt2 = made_up_examples(shape, *gpt2, 1);
  CHECK(of_gpt2[0].source.empty());
  CHECK(of_gpt2[0].target.size() == 7);
  CHECK(of_gpt2[0].target == made_up_examples(shape, *gpt2, 1)[0].target);
  CHECK(of_gpt2[0].target != made_up_examples(shape, *gpt2, 2)[0].target);
}

TEST_CASE("made-up training: every method trains on every family") {
  const BatchShape shape{.sequences = 2, .source = 5, .target = 3, .tokens = 7};
  const auto t5 = golden_t5();
  const auto gpt2 = golden_gpt2();
  const auto bart = golden_bart();
  const auto bert = golden_bert();
  for (LanguageModel* model : std::initializer_list<LanguageModel*>{t5.get(), gpt2.get(), bart.get(), bert.get()}) {
    for (const std::int64_t mlp : {0, 6}) {
      for (const std::string name : {"prompt", "prefix", "deep-prompt"}) {
        const auto method = made_up_method({.method = name, .virtual_tokens = 4, .mlp = mlp}, *model, 3);
        const auto examples = made_up_examples(shape, *model, 3);
        TrainingStep step(made_up_loss(shape, *model, examples), *method, {});
        const LossBatch batch = whole_batch(step.model(), examples);
        CHECK(step.differentiate(std::span(&batch, 1)).loss > 0);
        for (std::size_t i = 0; i < step.trainables().size(); ++i) CHECK_FALSE(step.gradient(i).empty());
      }
    }
  }
}

TEST_CASE("made-up training: an encoder gets a new head, and a batch of the lengths and labels that the head reads") {
  const auto bert = golden_bert();
  BatchShape shape{.sequences = 2};
  CHECK(describe(shape, *bert) == "batch 2, 128 tokens, SEQ_CLS");
  CHECK(tokens_of(shape, *golden_gpt2()) == 512);
  shape.tokens = 9;
  const auto method = made_up_method({.method = "deep-prompt", .virtual_tokens = 4}, *bert, 3);
  const std::vector<std::pair<HeadKind, std::int64_t>> kinds = {
      {HeadKind::sequence, 2}, {HeadKind::choice, 2}, {HeadKind::tokens, 18}, {HeadKind::span, 2}, {HeadKind::masked_lm, 2}};
  for (const auto& [kind, labels] : kinds) {
    CAPTURE(name_of(kind));
    shape.head = kind;
    const auto examples = made_up_examples(shape, *bert, 3);
    const TrainingStep step(made_up_loss(shape, *bert, examples), *method, {});
    CHECK(step.model().inputs(whole_batch(step.model(), examples), {}).labels() == labels);
  }
}

TEST_CASE("made-up training: prefixes at several sites have tensors of their own, and a network where one is asked for") {
  const auto model = golden_bart();
  const auto method = made_up_method({.method = "prefix", .virtual_tokens = 4, .mlp = 6, .sites = {"encoder_self", "cross"}}, *model, 3);
  const auto& slot = dynamic_cast<const PrefixTuning&>(*method).slots().front();
  CHECK(slot.size() == 2);
  for (const auto& [site, table] : slot) {
    const auto& network = std::get<PromptEncoder>(table.source);
    CHECK(network.shape().hidden == 6);
    CHECK(network.shape().output == 2 * table.pairs() * table.heads * table.head_dim);
  }
  CHECK_THROWS_AS((void)made_up_method({.method = "prefix", .sites = {"cross"}}, *golden_gpt2(), 1), ConfigError);
  CHECK_THROWS_WITH_AS((void)made_up_method({.method = "ia3"}, *model, 1), doctest::Contains("'ia3'"), ConfigError);
}

}  // namespace made_up_training_test
