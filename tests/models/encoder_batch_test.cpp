#include "models/encoder_batch.h"

#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/prompt_tuning.h"
#include "tests/support/bert_models.h"
#include "tests/support/t5_models.h"

namespace encoder_batch_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

EncoderBatch batch_of_three() {
  return {.sequences = {{5, 17, 33, 2}, {90}, {12, 70, 41}}, .token_types = {{0, 0, 1, 1}, {1}, {0, 1, 1}}, .slots = {0, 1, 0}};
}

struct FeaturesProgram {
  explicit FeaturesProgram(const EncoderBatch& largest) {
    Graph graph;
    conditioning = method.condition(graph);
    add_features(*model, graph, conditioning, largest.capacity());
    session = std::make_unique<Session>(compile(std::move(graph)));
  }
  void feed(const EncoderBatch& batch) const { feed_rows(*session, batch, conditioning, model->encoder_limits()); }

  std::unique_ptr<Bert> model = golden_bert();
  PromptTuning method{{random_prompt(3, 32, 1), random_prompt(2, 32, 2)}};
  Conditioning conditioning;
  std::unique_ptr<Session> session;
};

}  // namespace

TEST_CASE("encoder batch: rows are prompts and tokens, each sequence with those of its slot") {
  const EncoderBatch batch = batch_of_three();
  CHECK(batch.tokens() == 8);
  CHECK(batch.capacity() == EncoderCapacity{3, 8});
  CHECK(EncoderBatch{}.capacity() == EncoderCapacity{1, 1});
  const FeaturesProgram program(batch);
  const Segments rows = row_segments(batch, program.conditioning);
  CHECK(rows.count() == 3);
  CHECK(rows.length(0) == 7);
  CHECK(rows.length(1) == 3);
  CHECK(rows.length(2) == 6);
}

TEST_CASE("encoder batch: types, positions and places of the tokens behind their prompts") {
  const EncoderBatch batch = batch_of_three();
  const FeaturesProgram program(batch);
  program.feed(batch);
  const auto given = [&](std::string_view name) {
    const auto values = program.session->input<std::int32_t>(name);
    return Ids(values.begin(), values.end());
  };
  CHECK(given(encoder::kTokenTypes) == Ids{0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1});
  CHECK(given(encoder::kPositions) == Ids{0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 0, 1, 2, 3, 4, 5});
  const RowLayout& tokens = program.session->layout(encoder::kTokenRows);
  CHECK(Ids(tokens.offsets, tokens.offsets + 4) == Ids{0, 4, 5, 8});
  CHECK(Ids(tokens.positions, tokens.positions + tokens.rows) == Ids{3, 4, 5, 6, 2, 3, 4, 5});
}

TEST_CASE("encoder batch: token types may be left out, and left unused") {
  const auto model = golden_bert();
  EncoderBatch batch = batch_of_three();
  batch.slots.clear();
  HeadedEncoder features{*model, {}};
  const auto typed = encoder_result(features, NoMethod(), batch, headed::kHidden);
  features.token_types = false;
  const auto unused = encoder_result(features, NoMethod(), batch, headed::kHidden);
  batch.token_types.clear();
  CHECK(encoder_result({*model, {}}, NoMethod(), batch, headed::kHidden) == unused);
  CHECK(typed != unused);
}

TEST_CASE("encoder batch: what does not fit is an error that names it") {
  const EncoderBatch batch = batch_of_three();
  const FeaturesProgram program(batch);
  const auto changed = [&](auto change) {
    EncoderBatch copy = batch;
    change(copy);
    program.feed(copy);
  };
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.sequences[1][0] = 109; }), "sequence: token id 109 was given; the vocabulary has 109", ConfigError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.token_types[2][1] = 2; }), "sequence 2: token type 2 was given; the model has 2", ConfigError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.token_types[0].pop_back(); }), "sequence 0: 3 token types were given for 4 tokens", ShapeError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.token_types.pop_back(); }), "sequence 2: 0 token types were given for 3 tokens", ShapeError);
  CHECK_THROWS_WITH_AS(changed([](EncoderBatch& b) { b.slots[1] = 2; }), "sequence 1: slot 2 was given; there are 2", ConfigError);
  CHECK_THROWS_AS(changed([](EncoderBatch& b) { b.sequences[0].push_back(1); b.token_types[0].push_back(1); }), ShapeError);
}

}  // namespace encoder_batch_test
