#include "models/bart/bart.h"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/seq2seq_batch.h"
#include "models/seq2seq_decoder.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/t5_models.h"

namespace bart_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

LogitsOfRows logits(Bart& model, const Method& method, const Seq2SeqBatch& batch) {
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  add_logits(model, graph, conditioning, batch.capacity(), false);
  Session session(compile(std::move(graph)));
  feed(session, batch, conditioning, model.limits(), 1);
  session.run();
  return rows_of_logits(session.result<float>(seq2seq::kLogits), model.vocabulary());
}

}  // namespace

TEST_CASE("bart: has the facts that methods need") {
  const auto model = golden_bart();
  CHECK(model->width() == 32);
  CHECK(model->vocabulary() == 103);
  CHECK(model->positions().positions == 64);
  CHECK(model->positions().offset == 2);
  CHECK(model->pad_id() == 1);
  CHECK(model->decoder_start_id() == 2);
  CHECK(model->attention_shape(Site::encoder_self).layers == 2);
  CHECK(model->attention_shape(Site::decoder_self).layers == 3);
  CHECK(model->attention_shape(Site::cross).layers == 3);
}

TEST_CASE("bart: the bias of the logits is frozen even where all else is trained") {
  const auto model = golden_bart({.frozen = freeze_none});
  CHECK(model->parameters().is_frozen("final_logits_bias"));
  CHECK(!model->parameters().is_frozen("model.shared.weight"));
}

TEST_CASE("bart: cached generation computes what a plain pass does, with prompts of different lengths") {
  const auto model = golden_bart();
  const PromptTuning method({random_prompt(3, 32, 1), random_prompt(2, 32, 2)});
  Seq2SeqBatch batch;
  batch.sources = {{0, 17, 33, 2}, {0, 90, 2}};
  batch.slots = {1, 0};
  batch.decoder_inputs = {{2, 0, 8, 30}, {2, 0, 44, 7}};
  const auto expected = logits(*model, method, batch);
  Seq2SeqDecoder decoder(*model, [&](Graph& graph) { return method.condition(graph); }, {.sequences = 2, .source_rows = 7, .beams = 1, .longest = 4});
  decoder.encode(batch);
  auto rows = rows_of_logits(decoder.prefill(std::vector<Ids>{{2}, {2}}, {}).logits, 103);
  for (std::size_t t = 0; t < 4; ++t) {
    CAPTURE(t);
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t v = 0; v < 103; ++v) CHECK(rows[i][v] == doctest::Approx(expected[i * 4 + t][v]).epsilon(1e-4));
    }
    if (t == 3) break;
    std::vector<StepRow> next;
    for (std::int32_t i = 0; i < 2; ++i) next.push_back({i, batch.decoder_inputs[static_cast<std::size_t>(i)][t + 1], i});
    rows = rows_of_logits(decoder.step(next, {}).logits, 103);
  }
}

TEST_CASE("bart: sequences that outgrow the positions are errors, prompts included") {
  const auto model = golden_bart();
  const PromptTuning method({random_prompt(3, 32, 1)});
  Seq2SeqBatch batch;
  batch.sources = {Ids(61, 7)};
  batch.decoder_inputs = {{2}};
  CHECK_NOTHROW((void)logits(*model, method, batch));
  batch.sources[0].push_back(7);
  CHECK_NOTHROW((void)logits(*model, NoMethod(), batch));
  const std::string message = "sequence 0: 65 positions are needed, virtual tokens included; the model has 64";
  CHECK_THROWS_WITH_AS((void)logits(*model, method, batch), message.c_str(), ShapeError);
  batch.decoder_inputs = {Ids(65, 7)};
  CHECK_THROWS_WITH_AS((void)logits(*model, NoMethod(), batch), message.c_str(), ShapeError);
}

}  // namespace bart_test
