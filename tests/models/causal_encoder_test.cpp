#include "models/causal_encoder.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "models/heads/headed_encoder.h"
#include "models/open_model.h"
#include "peft/prompt_tuning.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/prefixes.h"
#include "tests/support/values.h"

namespace causal_encoder_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Logits of the head of each sequence.
std::vector<double> logits_of(const HeadedEncoder& headed, const Method& method, const EncoderBatch& batch) {
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  add_logits(headed, graph, conditioning, batch.capacity(), false);
  Session session(compile(std::move(graph)));
  feed(session, batch, conditioning, headed.limits(), 1);
  session.run();
  return numbers(session.result_tensor(headed::name(0, headed::kLogits)));
}

}  // namespace

TEST_CASE("causal encoder: a head of sequences is `score` without a bias on the last token, whatever else is in the batch") {
  const auto model = open_encoder(golden("llama/model"));
  HeadedEncoder headed{*model, {Head::fresh(*model, HeadKind::sequence, 3, 1, "base_model.")}, model->pooling()};
  REQUIRE(headed.heads.front().tensors().size() == 1);
  const Tensor weight = headed.heads.front().tensors().at("score.weight");
  CHECK(weight.dims() == Dims{3, 32});
  const PromptTuning method({{random_floats({2, 32}, 1), 2}, {random_floats({3, 32}, 2), 3}});
  const EncoderBatch both{.sequences = {{5, 17, 33, 2}, {60, 7}}, .slots = {0, 1}};
  const std::vector<double> together = logits_of(headed, method, both);
  REQUIRE(together.size() == 6);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::vector<double> alone = logits_of(headed, method, {.sequences = {both.sequences[i]}, .slots = {both.slots[i]}});
    check_close(alone, {together.begin() + static_cast<std::ptrdiff_t>(3 * i), together.begin() + static_cast<std::ptrdiff_t>(3 * i) + 3}, 1e-5);
  }
  // the last token's row, times the weight
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  const EncoderBatch one{.sequences = {both.sequences[0]}, .slots = {0}};
  add_features(*model, graph, conditioning, one.capacity());
  Session session(compile(std::move(graph)));
  feed(session, one, conditioning, headed.limits(), 1);
  session.run();
  const std::vector<double> hidden = numbers(session.result_tensor(headed::kHidden));
  std::vector<double> expected(3, 0.0);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < 32; ++i) expected[c] += hidden[3 * 32 + i] * static_cast<double>(weight.values<float>()[c * 32 + i]);
  }
  check_close({together.begin(), together.begin() + 3}, expected, 1e-5);
}

TEST_CASE("causal encoder: heads of tokens have the names of transformers' classes") {
  const auto llama = open_encoder(golden("llama/model"));
  CHECK(Head::fresh(*llama, HeadKind::tokens, 3, 1, "").tensors().contains("score.bias"));
  const auto gpt2 = open_encoder(golden("gpt2/model"));
  CHECK(Head::fresh(*gpt2, HeadKind::tokens, 3, 1, "").tensors().contains("classifier.bias"));
  CHECK(Head::fresh(*gpt2, HeadKind::span, 2, 1, "").tensors().contains("qa_outputs.weight"));
}

TEST_CASE("causal encoder: says what a decoder does not have") {
  const auto model = open_encoder(golden("llama/model"));
  const HeadTensors biased = {{"score.weight", Tensor(Dtype::f32, {3, 32})}, {"score.bias", Tensor(Dtype::f32, {3})}};
  CHECK_THROWS_WITH_AS(Head(*model, HeadKind::sequence, biased, ""), "head: a bias of 'score' was given; wanted none", FileError);
  CHECK_THROWS_AS((void)Head::fresh(*model, HeadKind::choice, 1, 1, ""), ConfigError);
  const HeadedEncoder masked{*model, {Head(*model, HeadKind::masked_lm, {}, "")}, model->pooling()};
  Graph graph;
  CHECK_THROWS_AS(add_logits(masked, graph, {}, {}, false), UnsupportedError);
  const PromptTuning infix({{random_floats({2, 32}, 1), 2}}, Placement::infix);
  Graph other;
  CHECK_THROWS_WITH_AS((void)model->encode(other, infix.condition(other), {}),
                       "head: an infix was given; wanted a prompt or a prefix in front of the sequences", UnsupportedError);
}

}  // namespace causal_encoder_test
