#include "models/causal_batch.h"

#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/infixes.h"
#include "tests/support/t5_models.h"
#include "tests/support/values.h"

namespace causal_batch_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct LossProgram {
  explicit LossProgram(const CausalBatch& largest) {
    Graph graph;
    conditioning = method.condition(graph);
    add_loss(*model, graph, conditioning, largest.capacity());
    session = std::make_unique<Session>(compile(std::move(graph)));
  }

  void feed(const CausalBatch& batch) { preamble::feed(*session, batch, conditioning, model->limits(), 1); }
  float loss(const CausalBatch& batch) {
    feed(batch);
    session->run();
    return session->result<float>(causal::kLoss)[0];
  }

  std::unique_ptr<Gpt2> model = golden_gpt2();
  PromptTuning method{{random_prompt(3, 32, 1), random_prompt(2, 32, 2)}};
  Conditioning conditioning;
  std::unique_ptr<Session> session;
};

CausalBatch batch_of_three() {
  return {.sequences = {{5, 17, 33, 2}, {90}, {12, 70, 41}},
          .slots = {0, 1, 0},
          .labels = {{kNoLabel, 17, kNoLabel, 2}, {90}, {12, kNoLabel, 41}}};
}

}  // namespace

TEST_CASE("causal batch: counts tokens, and the labels that some row predicts") {
  const CausalBatch batch = batch_of_three();
  CHECK(batch.tokens() == 8);
  CHECK(batch.capacity() == CausalCapacity{3, 8});
  CHECK(CausalBatch{}.capacity() == CausalCapacity{1, 1});
  // nothing stands in front of a first token but a prompt
  const LossProgram program(batch);
  CHECK(inputs_of(batch, {}, program.model->limits()).labels() == 3);
  CHECK(inputs_of(batch, program.conditioning, program.model->limits()).labels() == 5);
  CHECK(inputs_of(batch, program.conditioning, program.model->limits()).label_counts() == std::vector<std::int64_t>{2, 1, 2});
}

TEST_CASE("causal batch: rows are prompts and tokens, each sequence with those of its slot") {
  const CausalBatch batch = batch_of_three();
  const LossProgram program(batch);
  const Segments rows = row_segments(batch, program.conditioning);
  CHECK(rows.count() == 3);
  CHECK(rows.length(0) == 7);
  CHECK(rows.length(1) == 3);
  CHECK(rows.length(2) == 6);
  CHECK(row_segments(batch, {}).rows() == 8);
}

TEST_CASE("causal batch: a program runs the rows of a prompt once a slot") {
  const LossProgram program(batch_of_three());
  const Graph& graph = program.session->program().graph();
  for (const auto& node : graph.nodes()) {
    for (const auto& type : node.outputs) {
      if (type.has_rows()) CHECK(graph.rows(type.rows).rows <= 8);
    }
  }
  CHECK(graph.rows(graph.rows(PromptTuning::kSpace)).rows == 5);
  CHECK(graph.rows(graph.rows(causal::kTokens)).rows == 8);
}

TEST_CASE("causal batch: a prompt together with a prefix is refused") {
  LossProgram program(batch_of_three());
  program.conditioning.prefixes[Site::decoder_self] = {};
  Graph graph;
  CHECK_THROWS_AS(add_loss(*program.model, graph, program.conditioning, {1, 1}), UnsupportedError);
}

TEST_CASE("causal batch: the loss of a batch is the sum of its sequences' losses") {
  const CausalBatch batch = batch_of_three();
  LossProgram program(batch);
  double sum = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    sum += static_cast<double>(program.loss({.sequences = {batch.sequences[i]}, .slots = {batch.slots[i]}, .labels = {batch.labels[i]}}));
  }
  CHECK(static_cast<double>(program.loss(batch)) == doctest::Approx(sum).epsilon(1e-5));
}

TEST_CASE("causal batch: what does not fit is an error that names it") {
  const CausalBatch batch = batch_of_three();
  LossProgram program(batch);
  const auto changed = [&](auto change) {
    CausalBatch copy = batch;
    change(copy);
    program.feed(copy);
  };
  CHECK_THROWS_WITH_AS(changed([](CausalBatch& b) { b.sequences[1][0] = 97; }), "sequence: token id 97 was given; the vocabulary has 97", ConfigError);
  CHECK_THROWS_WITH_AS(changed([](CausalBatch& b) { b.labels[2][2] = -1; }), "sequence 2: label -1 was given; the vocabulary has 97", ConfigError);
  CHECK_THROWS_WITH_AS(changed([](CausalBatch& b) { b.slots[1] = 2; }), "sequence 1: slot 2 was given; there are 2", ConfigError);
  CHECK_THROWS_WITH_AS(changed([](CausalBatch& b) { b.slots.pop_back(); }), "batch: 2 slots were given; sequence 2 has none", ShapeError);
  CHECK_THROWS_WITH_AS(changed([](CausalBatch& b) { b.labels[0].pop_back(); }), "sequence 0: 3 labels were given for 4 tokens", ShapeError);
  CHECK_THROWS_WITH_AS(changed([](CausalBatch& b) { b.labels.pop_back(); }), "batch: labels of 2 sequences were given; wanted 3", ShapeError);
  CHECK_THROWS_AS(changed([](CausalBatch& b) { b.sequences[0].push_back(1); }), ShapeError);
}

TEST_CASE("causal batch: virtual tokens count as positions") {
  CausalBatch longest{.sequences = {Ids(62, 7)}, .slots = {1}, .labels = {Ids(62, 7)}};
  LossProgram program({.sequences = {Ids(63, 7)}});
  CHECK_NOTHROW(program.feed(longest));
  longest.slots = {0};
  CHECK_THROWS_WITH_AS(program.feed(longest), "sequence 0: 65 positions are needed, virtual tokens included; the model has 64", ShapeError);
}

namespace {

/// Sources of 3, 1 and 2 tokens.
CausalBatch batch_of_sources() {
  return {.sequences = {{5, 17, 33, 8, 30}, {90, 44, 7}, {12, 70, 41}},
          .slots = {0, 1, 0},
          .labels = {{kNoLabel, kNoLabel, kNoLabel, 8, 30}, {kNoLabel, 44, 7}, {kNoLabel, kNoLabel, 41}}};
}

float loss_of(Gpt2& model, const Method& method, const CausalBatch& batch) {
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  add_loss(model, graph, conditioning, batch.capacity());
  Session session(compile(std::move(graph)));
  feed(session, batch, conditioning, model.limits(), 1);
  session.run();
  return session.result<float>(causal::kLoss)[0];
}

}  // namespace

TEST_CASE("causal batch: an infix stands in front of the token that predicts the first label") {
  const CausalBatch batch = batch_of_sources();
  CHECK(batch.infix_at(0) == 2);
  CHECK(batch.infix_at(1) == 0);
  CHECK(CausalBatch{.sequences = {{5, 17, 33}}}.infix_at(0) == 2);
  CHECK(CausalBatch{.sequences = {{}}}.infix_at(0) == 0);
  Graph graph;
  const Conditioning conditioning = two_infixes("prompt")->condition(graph);
  const Segments tokens = token_segments(batch, conditioning);
  CHECK(std::vector(tokens.positions().begin(), tokens.positions().end()) == Ids{0, 1, 4, 5, 6, 1, 2, 3, 0, 3, 4});
  CHECK(own_segments(batch, conditioning).length(0) == 7);
  CHECK(own_segments(batch, conditioning).length(1) == 4);
  // the first token of a sequence has nothing in front that would predict it
  CHECK(inputs_of(batch, conditioning, golden_gpt2()->limits()).labels() == 5);
}

TEST_CASE("causal batch: an infix of words does what the words do, in the logits and in the loss") {
  const auto model = golden_gpt2();
  const PromptTuning method({words(*model, {21, 4}), words(*model, {60})}, Placement::infix);
  const NoMethod plain;
  const CausalBatch spelled{.sequences = {{5, 17, 21, 4, 33, 8, 30}, {60, 90, 44, 7}, {12, 21, 4, 70, 41}},
                            .labels = {{kNoLabel, kNoLabel, kNoLabel, kNoLabel, kNoLabel, 8, 30},
                                       {kNoLabel, kNoLabel, 44, 7},
                                       {kNoLabel, kNoLabel, kNoLabel, kNoLabel, 41}}};
  const auto given = logits_of(*model, method, batch_of_sources());
  const auto expected = logits_of(*model, plain, spelled);
  const std::vector<std::size_t> rows = {0, 1, 4, 5, 6, 8, 9, 10, 11, 14, 15};
  REQUIRE(given.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    check_close({given[i].begin(), given[i].end()}, {expected.at(rows[i]).begin(), expected.at(rows[i]).end()}, 1e-5);
  }
  CHECK(loss_of(*model, method, batch_of_sources()) == doctest::Approx(loss_of(*model, plain, spelled)).epsilon(1e-5));
}

TEST_CASE("causal batch: with infixes the loss of a batch is the sum of its sequences' losses") {
  const auto model = golden_gpt2();
  const CausalBatch batch = batch_of_sources();
  for (const auto* kind : {"prompt", "prefix"}) {
    CAPTURE(kind);
    const auto method = two_infixes(kind);
    double sum = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const CausalBatch one{.sequences = {batch.sequences[i]}, .slots = {batch.slots[i]}, .labels = {batch.labels[i]}};
      sum += static_cast<double>(loss_of(*model, *method, one));
    }
    CHECK(static_cast<double>(loss_of(*model, *method, batch)) == doctest::Approx(sum).epsilon(1e-5));
  }
}

TEST_CASE("causal batch: the rows of an infix count as positions") {
  const auto model = golden_gpt2();
  for (const auto* kind : {"prompt", "prefix"}) {
    CAPTURE(kind);
    const auto method = two_infixes(kind);
    CHECK_NOTHROW((void)loss_of(*model, *method, {.sequences = {Ids(62, 7)}, .labels = {Ids(62, 7)}}));
    CHECK_THROWS_WITH_AS((void)loss_of(*model, *method, {.sequences = {Ids(63, 7)}, .labels = {Ids(63, 7)}}),
                         "sequence 0: 65 positions are needed, virtual tokens included; the model has 64", ShapeError);
  }
}

}  // namespace causal_batch_test
