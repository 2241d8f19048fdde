#include "models/seq2seq_batch.h"

#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "tests/support/t5_models.h"

namespace seq2seq_batch_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A loss program of the golden T5 behind prompts of 3 and 2 rows.
struct Prompted {
  explicit Prompted(const Seq2SeqCapacity& capacity) {
    Graph graph;
    conditioning = method.condition(graph);
    add_loss(*model, graph, conditioning, capacity);
    session = std::make_unique<Session>(compile(std::move(graph)));
  }

  void feed(const Seq2SeqBatch& batch) { preamble::feed(*session, batch, conditioning, model->limits(), 1); }
  [[nodiscard]] Ids input(std::string_view name) {
    const auto values = session->input<std::int32_t>(name);
    return {values.begin(), values.end()};
  }

  std::unique_ptr<T5> model = golden_t5();
  PromptTuning method{{random_prompt(3, 36, 1), random_prompt(2, 36, 2)}};
  Conditioning conditioning;
  std::unique_ptr<Session> session;
};

}  // namespace

TEST_CASE("shifted_right: begins with the start token, and a missing label becomes padding") {
  CHECK(shifted_right({7, kNoLabel, 9}, 2, 0) == Ids{2, 7, 0});
  CHECK(shifted_right({7}, 2, 0) == Ids{2});
  CHECK(shifted_right({}, 2, 0).empty());
}

TEST_CASE("seq2seq batch: its capacity holds exactly itself") {
  Seq2SeqBatch batch = small_batch();
  CHECK(batch.capacity() == Seq2SeqCapacity{3, 15, 10, 0});
  CHECK(inputs_of(batch, {}, golden_t5()->limits()).labels() == 9);
  CHECK(Seq2SeqBatch{}.capacity() == Seq2SeqCapacity{1, 1, 1, 0});
  batch.target_sources = {0, 0, 2};
  CHECK(batch.capacity().targets == 3);
  CHECK(batch.capacity().target_segments() == 3);
}

TEST_CASE("encoder_segments: prompts of a sequence's own slot stand in front of it") {
  Seq2SeqBatch batch = small_batch();
  batch.slots = {1, 0, 1};
  Graph graph;
  const PromptTuning method{{random_prompt(3, 36, 1), random_prompt(2, 36, 2)}};
  const Segments segments = encoder_segments(batch, method.condition(graph));
  CHECK(segments.length(0) == 9);
  CHECK(segments.length(1) == 6);
  CHECK(segments.length(2) == 7);
  CHECK(encoder_segments(batch, {}).length(0) == 7);
}

TEST_CASE("feed: merges prompt and token rows, and picks the labelled rows") {
  Seq2SeqBatch batch = small_batch();
  batch.sources = {{5, 1}, {9, 8, 1}};
  batch.slots = {1, 0};
  batch.labels.resize(2);
  batch.decoder_inputs.resize(2);
  Prompted program(batch.capacity());
  program.feed(batch);
  // slot 1 holds rows 3 and 4 of the table; tokens count through the batch
  CHECK(program.input(seq2seq::kMergeIndex) == Ids{-4, -5, 0, 1, -1, -2, -3, 2, 3, 4});
  CHECK(program.input(seq2seq::kSourceIds) == Ids{5, 1, 9, 8, 1});
  CHECK(program.input(seq2seq::kDecoderIds) == Ids{0, 8, 30, 0, 44, 0, 7, 99});
  // of eight rows the fifth has no label: the second one of the second target
  const RowLayout& labelled = program.session->layout(seq2seq::kLabelled);
  CHECK(Ids(labelled.offsets, labelled.offsets + 3) == Ids{0, 3, 7});
  CHECK(Ids(labelled.positions, labelled.positions + labelled.rows) == Ids{0, 1, 2, 0, 2, 3, 4});
  CHECK(program.input(seq2seq::kLabels) == Ids{8, 30, 1, 44, 7, 99, 1});
}

TEST_CASE("feed: says what does not fit or does not exist") {
  const Seq2SeqBatch batch = small_batch();
  Prompted program(batch.capacity());
  const auto feeding = [&](auto change) {
    Seq2SeqBatch changed = batch;
    change(changed);
    program.feed(changed);
  };
  CHECK_THROWS_WITH_AS(feeding([](auto& b) { b.sources[1][0] = 113; }), "source: token id 113 was given; the vocabulary has 113",
                       ConfigError);
  CHECK_THROWS_WITH_AS(feeding([](auto& b) { b.decoder_inputs[0][1] = -1; }),
                       "decoder input: token id -1 was given; the vocabulary has 113", ConfigError);
  CHECK_THROWS_WITH_AS(feeding([](auto& b) { b.labels[2][0] = 500; }), "target 2: label 500 was given; the vocabulary has 113",
                       ConfigError);
  CHECK_THROWS_WITH_AS(feeding([](auto& b) { b.labels[2].push_back(1); }), "target 2: 3 labels were given for 2 decoder positions",
                       ShapeError);
  CHECK_THROWS_WITH_AS(feeding([](auto& b) { b.slots = {0, 2, 1}; }), "sequence 1: slot 2 was given; there are 2", ConfigError);
  CHECK_THROWS_WITH_AS(feeding([](auto& b) { b.sources[0].push_back(1); }),
                       "row space 'source': 16 rows in 3 sequences were given; the program holds at most 15 rows in 3 sequences",
                       ShapeError);
  program.feed(batch);
}

}  // namespace seq2seq_batch_test
