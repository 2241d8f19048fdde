#include "models/t5/t5.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "engine/runtime/compile.h"
#include "tests/support/t5_models.h"

namespace t5_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Losses of the labels of a batch, in order.
std::vector<float> losses(T5& model, const Seq2SeqBatch& batch) {
  Graph graph;
  add_loss(model, graph, {}, batch.capacity());
  Session session(compile(std::move(graph)));
  feed(session, batch, {}, model.limits(), 1);
  session.run();
  const auto nll = session.result<float>(seq2seq::kNll);
  return {nll.begin(), nll.end()};
}

/// Equal but for rounding: programs of other capacities or roles may multiply in another order.
void check_near(const std::vector<float>& given, const std::vector<float>& expected) {
  REQUIRE(given.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(given[i] == doctest::Approx(expected[i]).epsilon(1e-5));
}

void drop(NamedTensors& tensors, const std::string& name) {
  std::erase_if(tensors, [&](const auto& entry) { return entry.first == name; });
}

Tensor tensor_named(const NamedTensors& tensors, const std::string& name) {
  return std::ranges::find(tensors, name, &NamedTensors::value_type::first)->second;
}

}  // namespace

TEST_CASE("t5: a folder tells its shape") {
  const auto model = golden_t5();
  CHECK(model->width() == 36);
  CHECK(model->vocabulary() == 113);
  CHECK(!model->tied());
  CHECK(model->attention_shape(Site::encoder_self).layers == 2);
  CHECK(model->attention_shape(Site::decoder_self).layers == 3);
  CHECK(model->attention_shape(Site::cross).layers == 3);
  CHECK(model->attention_shape(Site::cross).kv_width() == 40);
  CHECK(model->embedding().dims() == Dims{113, 36});
  CHECK(T5::open(golden("t5-v10/model"))->tied());
}

TEST_CASE("t5: a missing, unexpected or misshaped tensor is named") {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "model.safetensors").string();
  const std::string norm = "encoder.block.1.layer.0.layer_norm.weight";
  write_changed_t5(folder, [&](NamedTensors& tensors) { drop(tensors, norm); });
  CHECK_THROWS_WITH_AS((void)T5::open(folder.path()), (folder.path().string() + ": tensor '" + norm + "' is missing; wanted [36]").c_str(),
                       FileError);
  write_changed_t5(folder, [&](NamedTensors& tensors) {
    drop(tensors, norm);
    tensors.emplace_back(norm, Tensor(Dtype::f32, {35}));
  });
  CHECK_THROWS_WITH_AS((void)T5::open(folder.path()), (file + ": '" + norm + "' is [35]; wanted [36]").c_str(), FileError);
  write_changed_t5(folder, [&](NamedTensors& tensors) { tensors.emplace_back("encoder.block.2.strange", Tensor(Dtype::f32, {2})); });
  CHECK_THROWS_WITH_AS((void)T5::open(folder.path()), doctest::Contains((file + ": 'encoder.block.2.strange': belongs to a layer").c_str()),
                       FileError);
}

TEST_CASE("t5: tensors of other classes and biases of norms are ignored with a warning") {
  const TemporaryFolder folder;
  write_changed_t5(folder, [](NamedTensors& tensors) {
    for (const auto* name : {"classification_head.dense.weight", "encoder.block.0.layer.0.layer_norm.bias", "encoder.final_layer_norm.bias"})
      tensors.emplace_back(name, Tensor(Dtype::f32, {36}));
  });
  const WarningCapture warnings;
  const auto model = T5::open(folder.path());
  CHECK(losses(*model, small_batch()) == losses(*golden_t5(), small_batch()));
  REQUIRE(warnings.messages().size() == 1);
  CHECK(warnings.messages()[0].ends_with(
      ": 3 of its tensors are not part of this model and are ignored: classification_head.dense.weight, "
      "encoder.block.0.layer.0.layer_norm.bias, encoder.final_layer_norm.bias"));
}

TEST_CASE("t5: the embedding may stand under the names of its copies alone, and copies must be equal") {
  const auto expected = losses(*golden_t5(), small_batch());
  const auto renamed = [](const TemporaryFolder& folder, const std::vector<std::string>& names, float last) {
    write_changed_t5(folder, [&](NamedTensors& tensors) {
      Tensor shared = tensor_named(tensors, "shared.weight").clone();
      drop(tensors, "shared.weight");
      for (const auto& name : names) {
        tensors.emplace_back(name, shared.clone());
        shared.values<float>().back() += last;
      }
    });
  };
  for (const std::vector<std::string>& names : std::vector<std::vector<std::string>>{
           {"encoder.embed_tokens.weight"}, {"decoder.embed_tokens.weight"}, {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}}) {
    const TemporaryFolder folder;
    renamed(folder, names, 0);
    const auto model = T5::open(folder.path());
    CHECK(model->embedding_name() == names[0]);
    CHECK(losses(*model, small_batch()) == expected);
  }
  const TemporaryFolder folder;
  renamed(folder, {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}, 1);
  CHECK_THROWS_WITH_AS((void)T5::open(folder.path()), doctest::Contains("'decoder.embed_tokens.weight' differs from 'encoder.embed_tokens.weight'"),
                       UnsupportedError);
  const TemporaryFolder none;
  renamed(none, {}, 0);
  CHECK_THROWS_WITH_AS((void)T5::open(none.path()), doctest::Contains("tensor 'shared.weight' is missing"), FileError);
}

TEST_CASE("t5: copies of the embedding and the unused bias of old checkpoints are no errors") {
  const TemporaryFolder folder;
  write_changed_t5(folder, [](NamedTensors& tensors) {
    const Tensor shared = tensor_named(tensors, "shared.weight");
    tensors.emplace_back("encoder.embed_tokens.weight", shared);
    tensors.emplace_back("decoder.embed_tokens.weight", shared);
    tensors.emplace_back("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", Tensor(Dtype::f32, {16, 5}));
  });
  const auto model = T5::open(folder.path());
  CHECK(!model->tied());
  CHECK(losses(*model, small_batch()) == losses(*golden_t5(), small_batch()));
}

TEST_CASE("t5: a head that equals the embedding is tied to it, one that is absent as well") {
  const TemporaryFolder folder;
  write_changed_t5(folder, [](NamedTensors& tensors) {
    const Tensor shared = tensor_named(tensors, "shared.weight");
    drop(tensors, "lm_head.weight");
    tensors.emplace_back("lm_head.weight", shared.clone());
  });
  const auto equal = T5::open(folder.path(), {.frozen = freeze_none});
  CHECK(equal->tied());
  const TemporaryFolder other;
  write_changed_t5(other, [](NamedTensors& tensors) { drop(tensors, "lm_head.weight"); });
  const auto absent = T5::open(other.path());
  CHECK(absent->tied());
  check_near(losses(*equal, small_batch()), losses(*absent, small_batch()));
}

TEST_CASE("t5: half-precision matrices give nearly the same losses") {
  const auto exact = losses(*golden_t5(), small_batch());
  const auto half = losses(*golden_t5({.weights = Dtype::bf16}), small_batch());
  REQUIRE(exact.size() == half.size());
  CHECK(exact != half);
  for (std::size_t i = 0; i < exact.size(); ++i) CHECK(half[i] == doctest::Approx(exact[i]).epsilon(0.1));
}

TEST_CASE("t5: a sequence's losses do not depend on the batch it stands in") {
  const auto model = golden_t5();
  const Seq2SeqBatch batch = small_batch();
  const auto together = losses(*model, batch);
  std::vector<float> alone;
  for (std::size_t i = 0; i < batch.sources.size(); ++i) {
    for (const float x : losses(*model, sequence_of(batch, i))) alone.push_back(x);
  }
  check_near(together, alone);
}

TEST_CASE("t5: a decoder position does not see later ones") {
  const auto model = golden_t5();
  Seq2SeqBatch batch = sequence_of(small_batch(), 0);
  const auto before = losses(*model, batch);
  batch.decoder_inputs[0][2] = 99;
  const auto after = losses(*model, batch);
  CHECK(before[0] == after[0]);
  CHECK(before[1] == after[1]);
  CHECK(before[2] != after[2]);
}

TEST_CASE("t5: one program serves every batch up to its capacity") {
  const auto model = golden_t5();
  const Seq2SeqBatch batch = small_batch();
  Seq2SeqCapacity capacity = batch.capacity();
  capacity.sequences += 2;
  capacity.source_rows += 20;
  capacity.target_rows += 5;
  Graph graph;
  add_loss(*model, graph, {}, capacity);
  Session session(compile(std::move(graph)));
  std::vector<std::vector<float>> results;
  for (const auto& part : {batch, sequence_of(batch, 1), batch}) {
    feed(session, part, {}, model->limits(), 1);
    session.run();
    const auto nll = session.result<float>(seq2seq::kNll);
    results.emplace_back(nll.begin(), nll.end());
    check_near(results.back(), losses(*model, part));
  }
  CHECK(results[0] == results[2]);
}

TEST_CASE("t5: the memory plan is within 5 % of the lower bound, trained in part or as a whole") {
  for (const bool full : {false, true}) {
    for (const auto budget : {Budget::none(), Budget::smallest()}) {
      T5Config config = T5Config::published("t5-small");
      config.vocab_size = 1000;
      T5 model(config, Parameters(untouched_source(), {.frozen = full ? freeze_none : freeze_all}));
      const PromptTuning method({{Tensor(Dtype::f32, {20, config.d_model}), 20}});
      Graph graph;
      const Conditioning conditioning = full ? Conditioning{} : method.condition(graph);
      add_loss(model, graph, conditioning, {.sequences = 4, .source_rows = 512, .target_rows = 128});
      const auto program = compile(std::move(graph), {.loss = std::string(seq2seq::kLoss), .memory = budget});
      CAPTURE(full);
      CHECK(is_valid(program->plan(), program->liveness().buffers));
      CHECK(static_cast<double>(program->arena_bytes()) <= 1.05 * static_cast<double>(program->lower_bound_bytes()));
    }
  }
}

}  // namespace t5_test
