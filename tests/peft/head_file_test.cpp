#include "peft/head_file.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "data/tensor_archive.h"
#include "engine/core/error.h"
#include "peft/adapter_file.h"
#include "peft/native_prefix.h"
#include "tests/support/bert_models.h"
#include "tests/support/temporary_folder.h"

namespace head_file_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Tensors = std::vector<std::pair<std::string, Tensor>>;

std::filesystem::path adapter(const std::string& name) { return golden("bert/cases") / name / "adapter"; }

/// A written adapter with a head, read again.
struct Written : TemporaryFolder {
  Written(PeftType type, const HeadedEncoder& encoder) {
    PeftConfig config;
    config.peft_type = type;
    const bool prefix = type == PeftType::prefix_tuning;
    Tensors tensors = {{"prompt_embeddings", random_floats({2, prefix ? 2 * 2 * 32 : 32}, 1)}};
    add_head(encoder, encoder.heads.front(), config, tensors);
    write_adapter(path(), resolved(config, encoder.model), tensors);
  }
};

}  // namespace

TEST_CASE("head file: the head of a PEFT folder is read and trained under its name there") {
  const auto model = golden_bert();
  const HeadedEncoder encoder = open_heads(*model, {adapter("prefix-cls-grad")}, "");
  REQUIRE(encoder.heads.size() == 1);
  CHECK(encoder.heads[0].kind() == HeadKind::sequence);
  CHECK(encoder.heads[0].classes() == 3);
  REQUIRE(encoder.heads[0].trainables().size() == 2);
  CHECK(encoder.heads[0].trainables()[1].first == "base_model.classifier.weight");
  CHECK(open_heads(*model, {adapter("prefix-layers-grad")}, "SEQ_CLS").heads[0].classes() == 3);
  CHECK(open_heads(*model, {adapter("prefix-tok-grad")}, "").heads[0].kind() == HeadKind::tokens);
}

TEST_CASE("head file: the head is found under every name that PEFT has given it, and what is left over is named") {
  const auto model = golden_bert();
  const auto given = adapter("prefix-cls-grad");
  const TensorArchive stored(given, kAdapterFiles);
  const auto read_as = [&](const std::string& front, const std::string& inside) {
    const TemporaryFolder folder;
    std::filesystem::copy_file(given / "adapter_config.json", folder.path() / "adapter_config.json");
    Tensors tensors = {{"prompt_embeddings", stored.get("prompt_embeddings")}};
    for (const auto* part : {"weight", "bias"}) tensors.emplace_back(front + "classifier." + inside + part, stored.get(std::string("base_model.classifier.") + part));
    tensors.emplace_back("base_model.classifier.original_module.weight", Tensor(Dtype::f32, {3, 32}));
    write_safetensors(folder.path() / "adapter_model.safetensors", tensors);
    return open_heads(*model, {folder.path()}, "").heads.at(0).tensors().at("classifier.weight");
  };
  const Tensor wanted = stored.get("base_model.classifier.weight");
  for (const auto& [front, inside] : std::vector<std::pair<std::string, std::string>>{{"base_model.", ""},
                                                                                     {"base_model.model.", ""},
                                                                                     {"base_model.model.base_model.model.", ""},
                                                                                     {"", ""},
                                                                                     {"base_model.", "modules_to_save."},
                                                                                     {"base_model.", "modules_to_save.default."},
                                                                                     {"base_model.model.", "modules_to_save.sst2."}}) {
    CAPTURE(front);
    CAPTURE(inside);
    const Tensor weight = read_as(front, inside);
    CHECK(std::ranges::equal(weight.values<float>(), wanted.values<float>()));
  }
}

TEST_CASE("head file: several adapters have a head each, the masked-LM head is the model's") {
  const auto model = golden_bert();
  const auto both = golden("bert/cases/slots-prefix-cls");
  const HeadedEncoder encoder = open_heads(*model, {both / "adapter0", both / "adapter1"}, "");
  REQUIRE(encoder.heads.size() == 2);
  CHECK(encoder.heads[1].trainables()[0].first == "1.base_model.classifier.bias");
  const HeadedEncoder masked = open_heads(*model, {adapter("prefix-mlm-grad")}, "MASKED_LM");
  REQUIRE(masked.heads.size() == 1);
  CHECK(masked.heads[0].trainables().empty());
  CHECK(open_heads(*model, {}, "FEATURE_EXTRACTION").heads.empty());
}

TEST_CASE("head file: PEFT's prompts pool the first virtual token, and its spans have no token types, unless the folder says otherwise") {
  const auto model = golden_bert();
  CHECK(open_heads(*model, {adapter("prompt-cls-peft-grad")}, "").pooling == Pooling::first_row);
  CHECK(open_heads(*model, {adapter("prompt-cls-grad")}, "").pooling == Pooling::first_token);
  CHECK(open_heads(*model, {adapter("prefix-cls-grad")}, "").pooling == Pooling::first_token);
  CHECK_FALSE(open_heads(*model, {adapter("prefix-qa-grad")}, "").token_types);
  CHECK(open_heads(*model, {adapter("prompt-qa-grad")}, "").token_types);
  CHECK(open_heads(*model, {adapter("prefix-cls-grad")}, "").token_types);
  CHECK_THROWS_AS((void)open_heads(*model, {adapter("prompt-cls-peft-grad"), adapter("prompt-cls-grad")}, ""), ConfigError);
}

TEST_CASE("head file: what is written is read again, with the names that PEFT wants") {
  const auto model = golden_bert();
  for (const auto kind : {HeadKind::sequence, HeadKind::tokens, HeadKind::span}) {
    for (const auto type : {PeftType::prompt_tuning, PeftType::p_tuning, PeftType::prefix_tuning}) {
      for (const auto pooling : {Pooling::first_token, Pooling::first_row}) {
        for (const bool token_types : {false, true}) {
          CAPTURE(name_of(kind));
          CAPTURE(name_of(type));
          const HeadedEncoder encoder{*model, {Head::fresh(*model, kind, 3, 5, "base_model.")}, pooling, token_types};
          const Written folder(type, encoder);
          const PeftConfig config = PeftConfig::read(folder.path());
          CHECK(config.task_type == name_of(kind));
          CHECK(config.modules_to_save == (kind == HeadKind::span ? std::vector<std::string>{"qa_outputs"} : std::vector<std::string>{"classifier", "score"}));
          const HeadedEncoder again = open_heads(*model, {folder.path()}, "");
          if (kind == HeadKind::sequence && type != PeftType::prefix_tuning) CHECK(again.pooling == pooling);
          if (kind == HeadKind::span) CHECK(again.token_types == token_types);
          REQUIRE(again.heads[0].tensors().size() == 2);
          for (const auto& [name, tensor] : encoder.heads[0].tensors()) {
            CHECK(std::ranges::equal(again.heads[0].tensors().at(name).values<float>(), tensor.values<float>()));
          }
        }
      }
    }
  }
}

TEST_CASE("head file: a head that PEFT has no task for has the task that computes the most of it, and is read again as it is") {
  struct Case {
    HeadKind kind;
    Pooler pooler;
    std::string bert, roberta;  // PEFT's tasks
  };
  const std::vector<Case> cases = {{HeadKind::sequence, Pooler::automatic, "SEQ_CLS", "SEQ_CLS"},
                                   {HeadKind::sequence, Pooler::trained, "SEQ_CLS", "FEATURE_EXTRACTION"},
                                   {HeadKind::sequence, Pooler::none, "TOKEN_CLS", "TOKEN_CLS"},
                                   {HeadKind::choice, Pooler::automatic, "SEQ_CLS", "FEATURE_EXTRACTION"},
                                   {HeadKind::choice, Pooler::none, "TOKEN_CLS", "TOKEN_CLS"}};
  const auto bert = golden_bert();
  const auto roberta = golden_roberta();
  for (const auto& [kind, pooler, of_bert, of_roberta] : cases) {
    for (EncoderModel* model : {static_cast<EncoderModel*>(bert.get()), static_cast<EncoderModel*>(roberta.get())}) {
      CAPTURE(name_of(kind));
      CAPTURE(name_of(pooler));
      const HeadedEncoder encoder{*model, {Head::fresh(*model, kind, 3, 5, "base_model.", pooler)}};
      PeftConfig config;
      config.peft_type = PeftType::prompt_tuning;
      Tensors tensors = {{"prompt_embeddings", random_floats({2, model->width()}, 1)}};
      add_head(encoder, encoder.heads.front(), config, tensors);
      const TemporaryFolder folder;
      write_adapter(folder.path(), resolved(config, *model), tensors);
      const PeftConfig read = PeftConfig::read(folder.path());
      CHECK(read.task_type == (model == bert.get() ? of_bert : of_roberta));
      CHECK(read.extra.contains("preamble_task") == (read.task_type != name_of(kind)));
      CHECK(read.extra.contains("preamble_pooler") == (pooler != Pooler::automatic));
      // of a trained pooler PEFT wants the module, not the backbone around it
      CHECK((std::ranges::find(read.modules_to_save, "pooler") != read.modules_to_save.end()) ==
            (read.task_type == "SEQ_CLS" && pooler == Pooler::trained));
      CHECK(std::ranges::find(read.modules_to_save, "bert") == read.modules_to_save.end());
      const HeadedEncoder again = open_heads(*model, {folder.path()}, "");
      CHECK(again.pooling == Pooling::first_token);
      const Head& head = again.heads.at(0);
      CHECK(head.kind() == kind);
      CHECK(head.pooler() == pooler);
      REQUIRE(head.tensors().size() == encoder.heads[0].tensors().size());
      for (const auto& [name, tensor] : encoder.heads[0].tensors())
        CHECK(std::ranges::equal(head.tensors().at(name).values<float>(), tensor.values<float>()));
      CHECK_THROWS_AS((void)open_heads(*model, {folder.path()}, "QUESTION_ANS"), ConfigError);
    }
  }
}

TEST_CASE("head file: a native prefix keeps its head's pooler, whatever is given for heads of checkpoints") {
  const auto model = golden_bert();
  const Head head = Head::fresh(*model, HeadKind::sequence, 3, 5, "base_model.", Pooler::none);
  const TemporaryFolder folder;
  NativePrefix{{}, false, head.tensors(), Placement::prefix, head.pooler()}.write(folder.path() / "none");
  NativePrefix{{}, false, head.tensors()}.write(folder.path() / "auto");
  CHECK(open_heads(*model, {folder.path() / "none"}, "SEQ_CLS").heads[0].pooler() == Pooler::none);
  CHECK(open_heads(*model, {folder.path() / "auto"}, "SEQ_CLS").heads[0].pooler() == Pooler::automatic);
  CHECK(open_heads(*model, {folder.path() / "auto"}, "SEQ_CLS", {}, Pooler::none).heads[0].pooler() == Pooler::automatic);
  const auto classifier = Bert::open(golden("bert/model-seqcls"));
  CHECK(open_heads(*classifier, {}, "SEQ_CLS", {}, Pooler::none).heads[0].pooler() == Pooler::none);
}

TEST_CASE("head file: a native prefix keeps its head") {
  const auto model = golden_bert();
  const auto shapes = [&](Site site) { return model->attention_shape(site); };
  const NativePrefix prefix = NativePrefix::read(adapter("prefix-layers-grad"), shapes);
  CHECK(prefix.head.size() == 2);
  const TemporaryFolder folder;
  prefix.write(folder.path() / "new");
  const HeadTensors again = read_head(folder.path() / "new");
  REQUIRE(again.size() == 2);
  for (const auto& [name, tensor] : prefix.head) CHECK(std::ranges::equal(again.at(name).values<float>(), tensor.values<float>()));
}

TEST_CASE("head file: no task, other tasks and missing heads are named") {
  const auto model = golden_bert();
  CHECK_THROWS_WITH_AS(
      (void)open_heads(*model, {}, ""),
      "encoder: no task was given, and no adapter says one; wanted SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, QUESTION_ANS, MASKED_LM or "
      "FEATURE_EXTRACTION",
      ConfigError);
  CHECK_THROWS_AS((void)open_heads(*model, {adapter("prefix-cls-grad")}, "TOKEN_CLS"), ConfigError);
  CHECK_THROWS_AS((void)open_heads(*model, {}, "SEQ_CLS"), FileError);
  CHECK_THROWS_AS((void)open_heads(*model, {adapter("prefix-mlm-grad")}, "SEQ_CLS"), FileError);
}

}  // namespace head_file_test
