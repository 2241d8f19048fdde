#include "models/building.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include <doctest/doctest.h>

#include "engine/ops/dropout.h"
#include "models/deberta/deberta.h"
#include "peft/loss_model.h"
#include "tests/support/bert_models.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/graphs.h"
#include "tests/support/t5_models.h"

namespace building_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// How many values a graph drops, and how many attentions drop their probabilities.
using Counts = std::pair<std::int64_t, std::int64_t>;

Counts dropped_in(const Graph& graph) {
  const std::int64_t attentions = std::ranges::count_if(graph.nodes(), [](const Node& node) {
    const auto* op = dynamic_cast<const Attention*>(node.op.get());
    return op != nullptr && op->options.dropout.rate == 0.2;
  });
  return {count_ops(graph, "dropout"), attentions};
}

Counts dropped_in(const LossModel& loss, const Method& method = NoMethod()) {
  Graph graph;
  graph.input(kDropoutKey, {Dtype::i32, kNoRows, {2}});
  Conditioning conditioning = method.condition(graph);
  conditioning.dropout = {0.1, 0.2};
  loss.build(graph, conditioning, 0);
  return dropped_in(graph);
}

Counts dropped_in(EncoderModel& model, HeadKind kind) {
  return dropped_in(*loss_model(HeadedEncoder{model, {Head::fresh(model, kind, 3, 7, "")}}, {2, 16}));
}

}  // namespace

TEST_CASE("building: T5 drops embeddings, probabilities, inside and behind sublayers, and outputs") {
  const auto model = golden_t5();
  // two and three layers
  CHECK(dropped_in(*loss_model(*model, Seq2SeqCapacity{2, 8, 8, 0})) == Counts{1 + 2 * 3 + 1 + 1 + 3 * 4 + 1, 2 + 3 * 2});
}

TEST_CASE("building: BART drops embeddings, probabilities and what sublayers add") {
  const auto model = golden_bart();
  CHECK(dropped_in(*loss_model(*model, Seq2SeqCapacity{2, 8, 8, 0})) == Counts{1 + 2 * 2 + 1 + 3 * 3, 2 + 3 * 2});
}

TEST_CASE("building: GPT-2 drops embeddings, probabilities and what sublayers add, in the pass of a prompt as well") {
  const auto model = golden_gpt2();
  const auto loss = loss_model(*model, CausalCapacity{2, 16});
  CHECK(dropped_in(*loss) == Counts{1 + 3 * 2, 3});
  CHECK(dropped_in(*loss, PromptTuning({random_prompt(3, model->width(), 4)})) == Counts{2 * (1 + 3 * 2), 2 * 3});
}

TEST_CASE("building: encoders drop embeddings, probabilities, what sublayers add, and inputs of heads") {
  const auto bert = golden_bert();
  constexpr std::int64_t kBert = 1 + 2 * 2;
  CHECK(dropped_in(*bert, HeadKind::sequence) == Counts{kBert + 1, 2});
  CHECK(dropped_in(*bert, HeadKind::tokens) == Counts{kBert + 1, 2});
  CHECK(dropped_in(*bert, HeadKind::span) == Counts{kBert, 2});
  const auto roberta = golden_roberta();
  CHECK(dropped_in(*roberta, HeadKind::sequence) == Counts{1 + 3 * 2 + 2, 3});
  const auto deberta = Deberta::open(golden("deberta-v2/model"));
  const std::int64_t layers = deberta->attention_shape(Site::encoder_self).layers;
  // the table of positions anew in each layer
  CHECK(dropped_in(*deberta, HeadKind::sequence) == Counts{1 + layers * 3 + 1, layers});
}

TEST_CASE("building: the keys and the values of every prefix are dropped at a rate of their own") {
  const auto bert = golden_bert();
  const PrefixTuning method = deep_prompt(*bert, 3, 1);
  const auto dropped_at = [&](double rate) {
    Graph graph;
    graph.input(kDropoutKey, {Dtype::i32, kNoRows, {2}});
    Conditioning conditioning = method.condition(graph);
    conditioning.dropout.prefix = rate;
    drop_prefixes(graph, conditioning);
    for (const auto& [layer, rows] : conditioning.prefixes.at(Site::encoder_self).layers) CHECK(rows.key != rows.value);
    return count_ops(graph, "dropout");
  };
  CHECK(dropped_at(0.1) == 2 * 2);
  CHECK(dropped_at(0) == 0);
}

TEST_CASE("building: a graph without the key, or with rates of 0, drops nothing") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 1), {3}});
  CHECK(dropped(graph, x, 0.5) == x);
  (void)dropped_attention(graph, {x, x, x}, {}, 0.2);
  CHECK(dropped_in(graph) == Counts{0, 0});
  graph.input(kDropoutKey, {Dtype::i32, kNoRows, {2}});
  CHECK(dropped(graph, x, 0) == x);
  CHECK(graph.node(dropped_attention(graph, {x, x, x}, {}, 0)).inputs.size() == graph.node(attention({x, x, x}, {})).inputs.size());
}

TEST_CASE("building: values of one graph are dropped by masks of their own") {
  Graph graph;
  const Value x = graph.input("x", {Dtype::f32, graph.rows("rows", 4, 1), {3}});
  graph.input(kDropoutKey, {Dtype::i32, kNoRows, {2}});
  const auto stream = [&](Value value) { return dynamic_cast<const Dropout&>(*graph.node(value).op).stream; };
  const auto attention_stream = [&](Value value) { return dynamic_cast<const Attention&>(*graph.node(value).op).options.dropout.stream; };
  const auto first = stream(dropped(graph, x, 0.5));
  const auto second = attention_stream(dropped_attention(graph, {x, x, x}, {}, 0.5));
  const auto third = attention_stream(dropped_attention(graph, {x, x, x}, {}, 0.5));
  CHECK(first != second);
  CHECK(second != third);
  CHECK(stream(dropped(graph, x, 0.5)) != third);
}

}  // namespace building_test
