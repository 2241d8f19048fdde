#include "models/bert/bert.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "peft/prompt_tuning.h"
#include "tests/support/bert_models.h"
#include "tests/support/temporary_folder.h"

namespace bert_bert_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Tensors = std::vector<std::pair<std::string, Tensor>>;

Tensors golden_tensors() {
  const TensorFile file = SafetensorsFile::open(golden("bert/model") / "model.safetensors");
  Tensors tensors;
  for (const auto& name : file.names()) tensors.emplace_back(name, file.get(name));
  return tensors;
}

/// A copy of the golden checkpoint with other tensors.
struct Copy {
  explicit Copy(const Tensors& tensors) {
    folder.write("config.json", read_text(golden("bert/model") / "config.json"));
    write_safetensors(folder.path() / "model.safetensors", tensors);
  }
  TemporaryFolder folder;
};

const EncoderBatch kBatch = {.sequences = {{5, 17, 33, 2}, {90, 1}}, .token_types = {{0, 0, 1, 1}, {0, 1}}};

std::vector<float> hidden(Bert& model, const EncoderBatch& batch, const Method& method = NoMethod()) {
  return encoder_result({model, {}}, method, batch, headed::kHidden);
}

void replace(std::string& name, const std::string& part, const std::string& by) {
  if (const auto at = name.find(part); at != std::string::npos) name.replace(at, part.size(), by);
}

}  // namespace

TEST_CASE("bert: has the facts that methods need") {
  const auto model = golden_bert();
  CHECK(model->width() == 32);
  CHECK(model->vocabulary() == 109);
  CHECK(model->token_types() == 2);
  CHECK(model->positions().positions == 64);
  CHECK(model->positions().offset == 0);
  CHECK(model->prefix_site() == Site::encoder_self);
  CHECK(model->embedding_name() == "bert.embeddings.word_embeddings.weight");
  CHECK(model->attention_shape(Site::encoder_self).layers == 2);
  CHECK(model->attention_shape(Site::encoder_self).kv_width() == 32);
  CHECK_THROWS_AS((void)model->attention_shape(Site::decoder_self), UnsupportedError);
}

TEST_CASE("bert: RoBERTa's positions begin behind the padding id") {
  const auto model = golden_roberta();
  CHECK(model->positions().positions == 64);
  CHECK(model->positions().offset == 2);
  CHECK(model->token_types() == 1);
  const EncoderBatch longest = {.sequences = {Ids(64, 7)}};
  CHECK_NOTHROW((void)hidden(*model, longest));
  CHECK_THROWS_WITH_AS((void)hidden(*model, {.sequences = {Ids(65, 7)}}),
                       "sequence 0: 65 positions are needed, virtual tokens included; the model has 64", ShapeError);
  CHECK_THROWS_WITH_AS((void)hidden(*model, {.sequences = {Ids(60, 7)}}, deep_prompt(*model, 5, 1)),
                       "sequence 0: 65 positions are needed, virtual tokens included; the model has 64", ShapeError);
}

TEST_CASE("bert: names of the bare model, TensorFlow's names of norms and saved index buffers are read too") {
  Tensors bare = golden_tensors();
  std::erase_if(bare, [](const auto& named) { return named.first.starts_with("cls."); });
  for (auto& [name, tensor] : bare) {
    name = name.substr(std::string("bert.").size());
    replace(name, "LayerNorm.weight", "LayerNorm.gamma");
    replace(name, "LayerNorm.bias", "LayerNorm.beta");
  }
  bare.emplace_back("embeddings.position_ids", Tensor(Dtype::i64, {1, 64}));
  const Copy copy(bare);
  const auto model = Bert::open(copy.folder.path());
  CHECK(model->embedding_name() == "embeddings.word_embeddings.weight");
  CHECK(hidden(*model, kBatch) == hidden(*golden_bert(), kBatch));
}

TEST_CASE("bert: a decoder of its own is used by the masked-LM head, a copy of the embedding is not loaded") {
  Tensors untied = golden_tensors();
  const auto embedding = std::ranges::find(untied, std::string("bert.embeddings.word_embeddings.weight"), &std::pair<std::string, Tensor>::first)->second;
  Tensors copied = untied;
  copied.emplace_back("cls.predictions.decoder.weight", embedding.clone());
  untied.emplace_back("cls.predictions.decoder.weight", Tensor(Dtype::f32, {109, 32}));
  const auto logits = [](const Tensors& tensors) {
    const Copy copy(tensors);
    const auto model = Bert::open(copy.folder.path());
    return encoder_result({*model, {Head(*model, HeadKind::masked_lm, {}, "")}}, NoMethod(), kBatch, headed::name(0, headed::kLogits));
  };
  const auto own = logits(untied);
  // zero weights leave the bias: the same at every token
  CHECK(std::equal(own.begin(), own.begin() + 109, own.begin() + 109));
  CHECK(logits(copied) == logits(golden_tensors()));
  CHECK(logits(copied) != own);
}

TEST_CASE("bert: missing, unexpected and misshaped tensors are named") {
  Tensors missing = golden_tensors();
  std::erase_if(missing, [](const auto& named) { return named.first == "bert.encoder.layer.1.output.dense.weight"; });
  Tensors more = golden_tensors();
  more.emplace_back("bert.encoder.layer.2.output.dense.weight", Tensor(Dtype::f32, {32, 48}));
  Tensors other = golden_tensors();
  std::ranges::find(other, std::string("bert.embeddings.position_embeddings.weight"), &std::pair<std::string, Tensor>::first)->second =
      Tensor(Dtype::f32, {63, 32});
  for (const auto& tensors : {missing, more, other}) {
    const Copy copy(tensors);
    CHECK_THROWS_AS((void)Bert::open(copy.folder.path()), FileError);
  }
}

TEST_CASE("bert: a sequence does not see its neighbours") {
  const auto model = golden_bert();
  const auto both = hidden(*model, kBatch);
  const auto second = hidden(*model, {.sequences = {kBatch.sequences[1]}, .token_types = {kBatch.token_types[1]}});
  for (std::size_t i = 0; i < second.size(); ++i) CHECK(both[4 * 32 + i] == doctest::Approx(second[i]).epsilon(1e-4));
}

TEST_CASE("bert: prompt rows are embedded as words of type 0 are, and normalised once") {
  // a prompt of the embeddings of words is the same as these words
  const auto model = golden_bert();
  const Ids words = {44, 7, 61};
  PromptSlot prompt{Tensor(Dtype::f32, {3, 32}), 3};
  const Tensor table = model->embedding();
  for (std::size_t i = 0; i < 3; ++i) {
    const auto row = std::as_const(table).values<float>().subspan(static_cast<std::size_t>(words[i]) * 32, 32);
    std::ranges::copy(row, prompt.embeddings.values<float>().begin() + static_cast<std::ptrdiff_t>(i * 32));
  }
  const auto with_words = hidden(*model, {.sequences = {{44, 7, 61, 5, 17}}, .token_types = {{0, 0, 0, 1, 1}}});
  const auto with_prompt = hidden(*model, {.sequences = {{5, 17}}, .token_types = {{1, 1}}}, PromptTuning({prompt}));
  REQUIRE(with_prompt.size() == 2 * 32);
  for (std::size_t i = 0; i < with_prompt.size(); ++i) CHECK(with_prompt[i] == doctest::Approx(with_words[3 * 32 + i]).epsilon(1e-4));
}

}  // namespace bert_bert_test
