#include "models/heads/head.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/bert_models.h"

namespace head_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::vector<std::string> names_of(const HeadTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

HeadTensors classifier(std::int64_t classes, std::int64_t width) {
  return {{"classifier.weight", random_floats({classes, width}, 1)}, {"classifier.bias", random_floats({classes}, 2)}};
}

std::unique_ptr<Bert> with_classifier(Parameters::Options options = {}) { return Bert::open(golden("bert/model-seqcls"), std::move(options)); }

}  // namespace

TEST_CASE("head: tasks have PEFT's names") {
  for (const auto kind : {HeadKind::sequence, HeadKind::choice, HeadKind::tokens, HeadKind::span, HeadKind::masked_lm})
    CHECK(head_kind_of(name_of(kind)) == kind);
  CHECK_THROWS_WITH_AS((void)head_kind_of("CAUSAL_LM"),
                       "task: 'CAUSAL_LM' was given; wanted SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, QUESTION_ANS or MASKED_LM", ConfigError);
}

TEST_CASE("head: DistilBERT and ELECTRA have transformers' heads") {
  const auto names = [](const EncoderModel& model, HeadKind kind) {
    std::vector<std::string> result;
    for (const auto& layer : head_layers(model, kind)) result.push_back(layer.name + (layer.dropped ? " dropped" : ""));
    return result;
  };
  using Names = std::vector<std::string>;
  const auto distil = Bert::open(golden("distilbert/model"));
  CHECK(names(*distil, HeadKind::sequence) == Names{"pre_classifier", "classifier dropped"});
  CHECK(names(*distil, HeadKind::choice) == Names{"pre_classifier", "classifier dropped"});
  CHECK(names(*distil, HeadKind::span) == Names{"qa_outputs dropped"});
  CHECK(head_layers(*distil, HeadKind::sequence)[0].activation == ActivationKind::relu);
  const auto electra = Bert::open(golden("electra/model"));
  CHECK(names(*electra, HeadKind::sequence) == Names{"classifier.dense dropped", "classifier.out_proj dropped"});
  CHECK(names(*electra, HeadKind::choice) == Names{"sequence_summary.summary", "classifier dropped"});
  CHECK(names(*electra, HeadKind::span) == Names{"qa_outputs"});
  CHECK(head_layers(*electra, HeadKind::sequence)[0].activation == ActivationKind::gelu);
  CHECK_THROWS_WITH_AS((void)Head::fresh(*distil, HeadKind::sequence, 2, 1, "", Pooler::frozen), doctest::Contains("has no 'pre_classifier.weight'"),
                       ConfigError);
  CHECK(names_of(Head::fresh(*electra, HeadKind::sequence, 2, 1, "").tensors()).size() == 4);
}

TEST_CASE("head: an adapter's tensors are its own, the rest comes from the checkpoint") {
  const auto model = golden_bert();
  const Head head(*model, HeadKind::sequence, classifier(3, 32), "1.base_model.");
  CHECK(head.classes() == 3);
  REQUIRE(head.trainables().size() == 2);
  CHECK(head.trainables()[0].first == "1.base_model.classifier.bias");
  CHECK(head.trainables()[1].first == "1.base_model.classifier.weight");
  CHECK(Head(*model, HeadKind::sequence, classifier(3, 32), "", false).trainables().empty());
}

TEST_CASE("head: without an adapter's the checkpoint's is used, and belongs to the model") {
  const auto model = with_classifier();
  const Head head(*model, HeadKind::sequence, {}, "");
  CHECK(head.classes() == 3);
  CHECK(head.tensors().empty());
  CHECK(head.trainables().empty());
  CHECK_FALSE(head.is_regression());
}

TEST_CASE("head: one class of a sequence is a number, one of tokens is not") {
  const auto model = golden_bert();
  CHECK(Head(*model, HeadKind::sequence, classifier(1, 32), "").is_regression());
  CHECK_FALSE(Head(*model, HeadKind::tokens, classifier(1, 32), "").is_regression());
  CHECK(Head(*model, HeadKind::masked_lm, {}, "").classes() == 109);
}

TEST_CASE("head: a new one starts at N(0, 0.02) with zero biases; the pretrained pooler stays the model's") {
  const auto model = golden_bert();
  const Head head = Head::fresh(*model, HeadKind::sequence, 50, 7, "base_model.");
  CHECK(names_of(head.tensors()) == std::vector<std::string>{"classifier.bias", "classifier.weight"});
  const auto weight = head.tensors().at("classifier.weight").values<float>();
  double sum = 0, squares = 0;
  for (const float x : weight) {
    sum += static_cast<double>(x);
    squares += static_cast<double>(x) * static_cast<double>(x);
  }
  const double count = static_cast<double>(weight.size());
  CHECK(std::abs(sum / count) < 0.002);
  CHECK(std::sqrt(squares / count) == doctest::Approx(0.02).epsilon(0.05));
  CHECK(std::ranges::all_of(head.tensors().at("classifier.bias").values<float>(), [](float x) { return x == 0; }));
  const Head again = Head::fresh(*model, HeadKind::sequence, 50, 7, "base_model.");
  CHECK(std::ranges::equal(again.tensors().at("classifier.weight").values<float>(), weight));
  const Head other = Head::fresh(*model, HeadKind::sequence, 50, 8, "base_model.");
  CHECK_FALSE(std::ranges::equal(other.tensors().at("classifier.weight").values<float>(), weight));
}

TEST_CASE("head: RoBERTa's has two layers, a span's two logits, and a checkpoint without pooler gets a new one") {
  const auto roberta = golden_roberta();
  const Head two = Head::fresh(*roberta, HeadKind::sequence, 3, 1, "");
  CHECK(two.tensors().at("classifier.dense.weight").dims() == Dims{40, 40});
  CHECK(two.tensors().at("classifier.out_proj.weight").dims() == Dims{3, 40});
  CHECK(Head::fresh(*roberta, HeadKind::span, 9, 1, "").tensors().at("qa_outputs.weight").dims() == Dims{2, 40});
  const auto no_pooler = Bert::open(golden("bert/model-qa"));
  CHECK(names_of(Head::fresh(*no_pooler, HeadKind::sequence, 3, 1, "").tensors()) ==
        std::vector<std::string>{"bert.pooler.dense.bias", "bert.pooler.dense.weight", "classifier.bias", "classifier.weight"});
}

TEST_CASE("head: a new one starts at the checkpoint's where that has as many classes") {
  const auto model = with_classifier();
  const Tensor stored = model->parameters().tensor("classifier.weight", {3, 32}, ParameterKind::vector);
  const Head same = Head::fresh(*model, HeadKind::sequence, 3, 1, "");
  CHECK(std::ranges::equal(same.tensors().at("classifier.weight").values<float>(), std::as_const(stored).values<float>()));
  // a copy: training it leaves the model as it is
  CHECK(same.tensors().at("classifier.weight").data() != std::as_const(stored).data());
  CHECK(Head::fresh(*model, HeadKind::sequence, 4, 1, "").tensors().at("classifier.weight").dims() == Dims{4, 32});
}

TEST_CASE("head: multiple choice has the pooler and a score, as in transformers") {
  const auto bert = golden_bert();
  const Head head = Head::fresh(*bert, HeadKind::choice, 9, 1, "");
  CHECK(head.classes() == 1);
  CHECK_FALSE(head.is_regression());
  CHECK(names_of(head.tensors()) == std::vector<std::string>{"classifier.bias", "classifier.weight"});
  CHECK(head.tensors().at("classifier.weight").dims() == Dims{1, 32});
  // no checkpoint of RoBERTa for masked LMs has a pooler: it is new
  CHECK(names_of(Head::fresh(*golden_roberta(), HeadKind::choice, 1, 1, "").tensors()) ==
        std::vector<std::string>{"classifier.bias", "classifier.weight", "roberta.pooler.dense.bias", "roberta.pooler.dense.weight"});
  CHECK_THROWS_WITH_AS(Head(*bert, HeadKind::choice, classifier(2, 32), ""), "head: 'classifier' is [2, 32]; wanted [1, 32]", FileError);
}

TEST_CASE("head: the pooler can be the checkpoint's, one of its own, or none") {
  const auto bert = golden_bert();
  const std::vector<std::string> linear = {"classifier.bias", "classifier.weight"};
  CHECK(names_of(Head::fresh(*bert, HeadKind::sequence, 3, 1, "", Pooler::frozen).tensors()) == linear);
  const Head trained = Head::fresh(*bert, HeadKind::sequence, 3, 1, "", Pooler::trained);
  REQUIRE(trained.tensors().size() == 4);
  // it starts at the checkpoint's, as a copy
  const Tensor stored = bert->parameters().tensor("bert.pooler.dense.weight", {32, 32}, ParameterKind::vector);
  const Tensor& own = trained.tensors().at("bert.pooler.dense.weight");
  CHECK(std::ranges::equal(own.values<float>(), std::as_const(stored).values<float>()));
  CHECK(own.data() != std::as_const(stored).data());
  CHECK(trained.pooler() == Pooler::trained);

  const auto roberta = golden_roberta();
  const Head none = Head::fresh(*roberta, HeadKind::sequence, 3, 1, "", Pooler::none);
  CHECK(names_of(none.tensors()) == linear);
  CHECK(none.tensors().at("classifier.weight").dims() == Dims{3, 40});
  CHECK(names_of(Head::fresh(*roberta, HeadKind::sequence, 3, 1, "", Pooler::trained).tensors()) ==
        std::vector<std::string>{"classifier.bias", "classifier.weight", "roberta.pooler.dense.bias", "roberta.pooler.dense.weight"});
  const auto no_pooler = Bert::open(golden("bert/model-qa"));
  CHECK_THROWS_WITH_AS((void)Head::fresh(*no_pooler, HeadKind::sequence, 3, 1, "", Pooler::frozen),
                       doctest::Contains("has no 'bert.pooler.dense.weight'"), ConfigError);
}

TEST_CASE("head: poolers have names, and other heads have none") {
  for (const auto pooler : {Pooler::automatic, Pooler::frozen, Pooler::trained, Pooler::none}) CHECK(pooler_of(name_of(pooler)) == pooler);
  CHECK_THROWS_WITH_AS((void)pooler_of("mean"), "pooler: 'mean' was given; wanted auto, frozen, trained, none", ConfigError);
  const auto model = golden_bert();
  CHECK_THROWS_WITH_AS((void)Head::fresh(*model, HeadKind::tokens, 3, 1, "", Pooler::none),
                       "pooler: 'none' was given for TOKEN_CLS; wanted auto: it has none", ConfigError);
}

TEST_CASE("head: a masked-LM head can be restricted to a few words") {
  const auto model = golden_bert();
  const Head whole(*model, HeadKind::masked_lm, {}, "");
  const Head words = whole.restricted_to({7, 100, 3});
  CHECK(words.classes() == 3);
  CHECK(words.words() == std::vector<std::int32_t>{7, 100, 3});
  CHECK_THROWS_WITH_AS((void)whole.restricted_to({7, 109}), "head: the words [7, 109] were given; wanted different ones below 109",
                       ConfigError);
  CHECK_THROWS_AS((void)whole.restricted_to({7, 7}), ConfigError);
  CHECK_THROWS_AS((void)whole.restricted_to({}), ConfigError);
  CHECK_THROWS_AS((void)words.restricted_to({7}), ConfigError);
  CHECK_THROWS_AS((void)Head::fresh(*model, HeadKind::tokens, 3, 1, "").restricted_to({1}), ConfigError);
}

TEST_CASE("head: what is missing or does not fit is named") {
  const auto model = golden_bert();
  CHECK_THROWS_AS(Head(*model, HeadKind::sequence, {}, ""), FileError);
  CHECK_THROWS_AS(Head(*model, HeadKind::span, {}, ""), FileError);
  CHECK_THROWS_WITH_AS(Head(*model, HeadKind::sequence, classifier(3, 31), ""), "head: 'classifier' is [3, 31]; wanted [classes, 32]", FileError);
  HeadTensors alone = classifier(3, 32);
  alone.erase("classifier.bias");
  CHECK_THROWS_WITH_AS(Head(*model, HeadKind::sequence, alone, ""), "head: a weight or a bias of 'classifier' was given alone; wanted both", FileError);
  HeadTensors three = {{"qa_outputs.weight", random_floats({3, 32}, 1)}, {"qa_outputs.bias", random_floats({3}, 2)}};
  CHECK_THROWS_WITH_AS(Head(*model, HeadKind::span, three, ""), "head: 'qa_outputs' is [3, 32]; wanted [2, 32]", FileError);
  HeadTensors bias = classifier(3, 32);
  bias["classifier.bias"] = random_floats({4}, 2);
  CHECK_THROWS_WITH_AS(Head(*model, HeadKind::sequence, bias, ""), "head: 'classifier' is [3, 32] with a bias [4]; wanted [N, K] and [N]", FileError);
  CHECK_THROWS_WITH_AS((void)Head::fresh(*model, HeadKind::tokens, 0, 1, ""), "head: 0 classes were given; wanted one at least", ConfigError);
}

}  // namespace head_test
