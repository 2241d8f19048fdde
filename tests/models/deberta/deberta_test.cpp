// What models compute is compared with transformers in tests/golden/deberta*: see tests/tools/golden_test.cpp.
#include "models/deberta/deberta.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/ops/attention.h"
#include "models/made_up_model.h"
#include "models/open_model.h"
#include "tests/support/golden.h"

namespace deberta_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Attention nodes of the encoder's graph.
std::vector<const Node*> attentions(Graph& graph, EncoderModel& model) {
  (void)model.encode(graph, {}, {2, 8});
  std::vector<const Node*> result;
  for (const auto& node : graph.nodes()) {
    if (dynamic_cast<const Attention*>(node.op.get()) != nullptr) result.push_back(&node);
  }
  return result;
}

bool has(const Node& node, std::size_t operand) { return operand < node.inputs.size() && node.inputs[operand].defined(); }

}  // namespace

TEST_CASE("deberta: every layer reads the position tables that its configuration names") {
  for (const auto& [folder, key, query] : {std::tuple{"model-separate", true, true},
                                           {"model-c2p", true, false},
                                           {"model-p2c", false, true},
                                           {"model-absolute", false, false}}) {
    CAPTURE(folder);
    const auto model = open_encoder(golden("deberta-small") / folder);
    Graph graph;
    const auto nodes = attentions(graph, *model);
    CHECK(nodes.size() == 2);
    for (const auto* node : nodes) {
      CHECK(has(*node, Attention::kPositionKey) == key);
      CHECK(has(*node, Attention::kPositionQuery) == query);
    }
  }
}

TEST_CASE("deberta: absolute positions bound the length only where they are added") {
  CHECK(open_encoder(golden("deberta-small/model-separate"))->positions().positions == 16);
  CHECK(open_encoder(golden("deberta-v2/model"))->positions().positions == 0);
}

TEST_CASE("deberta: a classifier has a pooler of its own") {
  const auto layers = open_encoder(golden("deberta-v2/model"))->sequence_head();
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].name == "pooler.dense");
  CHECK(layers[0].activation == ActivationKind::gelu);
  CHECK_FALSE(layers[0].in_backbone);
  CHECK(layers[1].name == "classifier");
}

TEST_CASE("deberta: a prompt as wide as the layers is refused where embeddings have another width") {
  const auto model = open_encoder(golden("deberta-small/model-separate"));
  Graph graph;
  SlotSpace space{"prompt", Segments(std::vector<std::int32_t>{2})};
  const Value rows = graph.input("prompt", {Dtype::f32, graph.rows("prompt", 2, 1), {8}});
  Conditioning conditioning;
  conditioning.prompt = PromptRows{rows, space};
  CHECK(model->embedding_width() == 6);
  CHECK_THROWS_AS((void)model->encode(graph, conditioning, {2, 8}), ShapeError);
}

TEST_CASE("deberta: published shapes have their numbers of parameters") {
  const auto model = made_up_model("deberta-v3-base", untouched_source());
  Graph graph;
  (void)dynamic_cast<EncoderModel&>(*model).encode(graph, {}, {});
  std::int64_t count = 0;
  for (const auto& [name, tensor] : model->parameters().loaded()) count += tensor.count();
  // 98.4 million of the vocabulary, 85.1 of the layers, 0.4 of relative positions
  CHECK(count == 183'831'552);
}

}  // namespace deberta_test
