#include "peft/rank_classifier.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/prompt_tuning.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/prefixes.h"

namespace rank_classifier_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Log-likelihood of `target` behind `source`, from plain logits.
double log_likelihood(CausalLm& model, const Method& method, const Ids& source, const Ids& target) {
  Ids sequence = source;
  sequence.insert(sequence.end(), target.begin(), target.end());
  const LogitsOfRows logits = logits_of(model, method, {{sequence}});
  double sum = 0;
  for (std::size_t t = 0; t < target.size(); ++t) {
    const auto& row = logits.at(source.size() + t - 1);
    double normaliser = 0;
    for (const float x : row) normaliser += std::exp(static_cast<double>(x));
    sum += static_cast<double>(row.at(static_cast<std::size_t>(target[t]))) - std::log(normaliser);
  }
  return sum;
}

}  // namespace

TEST_CASE("rank classifier: a decoder-only model scores each label word behind the source") {
  const auto model = golden_gpt2();
  const PromptTuning method({{random_floats({4, 32}, 3), 4}});
  const std::vector<Ids> targets = {{8, 30, 96}, {44, 96}};
  std::vector<Example> examples(3);
  examples[0].source = {5, 17, 33};
  examples[1].source = {90};
  examples[2].source = {12, 70, 3, 3, 61};
  // batches of about five rows
  RankClassifier classifier(*model, method, targets, 5, 5);
  const auto scores = classifier.classify(examples);
  REQUIRE(scores.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t c = 0; c < 2; ++c) {
      CHECK(scores[i].log_likelihoods.at(c) == doctest::Approx(log_likelihood(*model, method, examples[i].source, targets[c])).epsilon(1e-5));
    }
  }
}

TEST_CASE("rank classifier: wants a class") {
  const auto model = golden_gpt2();
  const NoMethod plain;
  CHECK_THROWS_WITH_AS(RankClassifier(*model, plain, {}, 4), "classification: no classes were given; wanted one at least", ConfigError);
}

}  // namespace rank_classifier_test
