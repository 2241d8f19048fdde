#include "models/encoder_decoder.h"

#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/runtime/compile.h"
#include "tests/support/t5_models.h"

namespace encoder_decoder_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct Run {
  float loss;
  std::vector<float> nll;
};

Run run_loss(T5& model, const Seq2SeqBatch& batch, double weight, double z_loss = 0) {
  Graph graph;
  add_loss(model, graph, {}, batch.capacity(), z_loss);
  Session session(compile(std::move(graph)));
  feed(session, batch, {}, model.limits(), weight);
  session.run();
  const auto nll = session.result<float>(seq2seq::kNll);
  return {session.result<float>(seq2seq::kLoss)[0], {nll.begin(), nll.end()}};
}

}  // namespace

TEST_CASE("add_loss: the loss is the weighted sum of the labels' losses, and positions without a label have none") {
  const auto model = golden_t5();
  const Seq2SeqBatch batch = small_batch();
  const Run run = run_loss(*model, batch, 0.25);
  CHECK(run.nll.size() == 9);
  CHECK(run.loss == doctest::Approx(0.25F * std::accumulate(run.nll.begin(), run.nll.end(), 0.0F)));
  CHECK(run_loss(*model, batch, 0.25, 1e-2).loss > run.loss);
}

TEST_CASE("add_logits: gives every decoder row, and the same loss beside it") {
  const auto model = golden_t5();
  const Seq2SeqBatch batch = small_batch();
  Graph graph;
  add_logits(*model, graph, {}, batch.capacity(), true);
  Session session(compile(std::move(graph)));
  feed(session, batch, {}, model->limits(), 0.25);
  session.run();
  CHECK(session.result_tensor(seq2seq::kLogits).dims() == Dims{10, 113});
  CHECK(session.result<float>(seq2seq::kLoss)[0] == doctest::Approx(run_loss(*model, batch, 0.25).loss));
}

TEST_CASE("add_loss: targets may share a source, which is encoded once") {
  const auto model = golden_t5();
  Seq2SeqBatch batch = small_batch();
  batch.sources.resize(2);
  batch.target_sources = {1, 0, 1};
  const Run shared = run_loss(*model, batch, 1);
  Seq2SeqBatch repeated = batch;
  repeated.sources = {batch.sources[1], batch.sources[0], batch.sources[1]};
  repeated.target_sources.clear();
  const Run apart = run_loss(*model, repeated, 1);
  REQUIRE(shared.nll.size() == apart.nll.size());
  for (std::size_t i = 0; i < apart.nll.size(); ++i) CHECK(shared.nll[i] == doctest::Approx(apart.nll[i]).epsilon(1e-5));
}

}  // namespace encoder_decoder_test
