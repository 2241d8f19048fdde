#include "models/gpt2/gpt2.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "engine/ops/concat_rows.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/infixes.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace gpt2_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Tensors = std::vector<std::pair<std::string, Tensor>>;

Tensors golden_tensors() {
  const TensorFile file = SafetensorsFile::open(golden("gpt2/model") / "model.safetensors");
  Tensors tensors;
  for (const auto& name : file.names()) tensors.emplace_back(name, file.get(name));
  return tensors;
}

/// A copy of the golden checkpoint with other tensors.
struct Copy {
  explicit Copy(const Tensors& tensors) {
    folder.write("config.json", read_text(golden("gpt2/model") / "config.json"));
    write_safetensors(folder.path() / "model.safetensors", tensors);
  }
  TemporaryFolder folder;
};

const CausalBatch kBatch = {.sequences = {{5, 17, 33, 2}, {90, 1}}};

}  // namespace

TEST_CASE("gpt2: has the facts that methods need") {
  const auto model = golden_gpt2();
  CHECK(model->width() == 32);
  CHECK(model->vocabulary() == 97);
  CHECK(model->positions().positions == 64);
  CHECK(model->positions().offset == 0);
  CHECK(model->embedding().dims() == Dims{97, 32});
  CHECK(model->embedding_name() == "transformer.wte.weight");
  const AttentionShape shape = model->attention_shape(Site::decoder_self);
  CHECK(shape.layers == 3);
  CHECK(shape.kv_heads == 4);
  CHECK(shape.head_dim == 8);
}

TEST_CASE("gpt2: names of the bare model, saved masks and copies of the tied head are read too") {
  Tensors bare = golden_tensors();
  for (auto& [name, tensor] : bare) name = name.substr(std::string("transformer.").size());
  bare.emplace_back("h.0.attn.bias", Tensor(Dtype::f32, {1, 1, 64, 64}));
  const auto embedding = std::ranges::find(bare, std::string("wte.weight"), &std::pair<std::string, Tensor>::first)->second;
  bare.emplace_back("lm_head.weight", embedding.clone());
  const Copy copy(bare);
  const auto model = Gpt2::open(copy.folder.path());
  CHECK(model->embedding_name() == "wte.weight");
  CHECK(!model->parameters().loaded().contains("lm_head.weight"));
  const auto golden_model = golden_gpt2();
  CHECK(logits_of(*model, NoMethod(), kBatch) == logits_of(*golden_model, NoMethod(), kBatch));
}

TEST_CASE("gpt2: a head of its own is used") {
  Tensors untied = golden_tensors();
  untied.emplace_back("lm_head.weight", Tensor(Dtype::f32, {97, 32}));
  const Copy copy(untied);
  const auto model = Gpt2::open(copy.folder.path());
  for (const auto& row : logits_of(*model, NoMethod(), kBatch)) CHECK(std::ranges::all_of(row, [](float x) { return x == 0; }));
}

TEST_CASE("gpt2: missing, unexpected and misshaped tensors are named") {
  Tensors missing = golden_tensors();
  std::erase_if(missing, [](const auto& named) { return named.first == "transformer.h.1.attn.c_attn.weight"; });
  Tensors more = golden_tensors();
  more.emplace_back("transformer.h.3.ln_1.weight", Tensor(Dtype::f32, {32}));
  Tensors other = golden_tensors();
  std::ranges::find(other, std::string("transformer.wpe.weight"), &std::pair<std::string, Tensor>::first)->second = Tensor(Dtype::f32, {63, 32});
  for (const auto& tensors : {missing, more, other}) {
    const Copy copy(tensors);
    CHECK_THROWS_AS((void)Gpt2::open(copy.folder.path()), FileError);
  }
}

TEST_CASE("gpt2: a sequence does not see its neighbours") {
  const auto model = golden_gpt2();
  const auto both = logits_of(*model, NoMethod(), kBatch);
  const auto first = logits_of(*model, NoMethod(), {.sequences = {kBatch.sequences[0]}});
  for (std::size_t t = 0; t < 4; ++t) {
    for (std::size_t v = 0; v < 97; ++v) CHECK(both[t][v] == doctest::Approx(first[t][v]).epsilon(1e-5));
  }
}

TEST_CASE("gpt2: an infix of keys and values is a prefix of the target, and the source does not see it") {
  const auto model = golden_gpt2();
  const PrefixTuning infix({keys_and_values(2, 3)}, {.shifted = true, .placement = Placement::infix});
  const CausalBatch batch{.sequences = {{5, 17, 33, 8, 30}}, .labels = {{kNoLabel, kNoLabel, kNoLabel, 8, 30}}};
  const auto given = logits_of(*model, infix, batch);
  const auto check_row = [&](std::size_t row, const std::vector<float>& expected) {
    CAPTURE(row);
    check_close({given.at(row).begin(), given.at(row).end()}, {expected.begin(), expected.end()}, 1e-5);
  };

  // the source alone: two tokens, since the third one predicts the first label
  const auto source = logits_of(*model, NoMethod(), {.sequences = {{5, 17}}});
  for (std::size_t row = 0; row < 2; ++row) check_row(row, source[row]);

  // the target behind one prefix: what the model computes for the source, and the infix
  Graph graph;
  const PrefixTuning method({keys_and_values(2, 3)}, {});
  const SitePrefix rows = method.condition(graph).prefixes.at(Site::decoder_self);
  const auto slot_of_rows = [](std::string name, std::int32_t length) {
    return SlotSpace{std::move(name), Segments(std::span(&length, 1))};
  };
  const SlotSpace read = slot_of_rows("source", 2);
  const RowSpaceId read_rows = graph.rows(read.name, 2, 1);
  const PromptPass pass = model->read_prompt(graph, {graph.frozen("words", words(*model, {5, 17}).embeddings, read_rows), read}, {});
  Conditioning conditioning;
  conditioning.prefix_shifts_positions = true;
  SitePrefix& joint = conditioning.prefixes[Site::decoder_self];
  joint.space = slot_of_rows("joint", 4);
  const RowSpaceId joint_rows = graph.rows(joint.space.name, 4, 1);
  for (std::int64_t layer = 0; layer < 3; ++layer) {
    const PrefixRows& first = pass.prefix.layers.at(layer);
    const PrefixRows& second = rows.layers.at(layer);
    joint.layers[layer] = {concat_rows({first.key, second.key}, {2, 2}, joint_rows),
                           concat_rows({first.value, second.value}, {2, 2}, joint_rows)};
  }
  const CausalBatch target{.sequences = {{33, 8, 30}}};
  graph.output(causal::kLogits, model->head(graph, model->decode(graph, conditioning, target.capacity())));
  Session session(compile(std::move(graph)));
  session.rows(read.name, read.slots);
  session.rows(rows.space.name, rows.space.slots);
  feed_input(session, causal::kPromptPositions, position_rows(read.slots, Ids{0}, model->positions()));
  feed(session, target, conditioning, model->limits(), 1);
  session.run();
  const auto expected = rows_of_logits(session.result<float>(causal::kLogits), model->vocabulary());
  for (std::size_t row = 0; row < 3; ++row) check_row(2 + row, expected.at(row));
}

TEST_CASE("gpt2: no query and no feed-forward runs for an infix of keys and values") {
  const auto model = golden_gpt2();
  Graph graph;
  const Conditioning conditioning = two_infixes("prefix")->condition(graph);
  add_loss(*model, graph, conditioning, {2, 10});
  for (const auto& node : graph.nodes()) {
    if (!node.op || node.op->name() != "linear") continue;
    CHECK(graph.rows(node.outputs[0].rows).name != causal::kRows);
  }
}

}  // namespace gpt2_test
