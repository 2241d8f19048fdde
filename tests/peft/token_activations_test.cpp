#include "peft/token_activations.h"

#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/heads/headed_encoder.h"
#include "peft/initialise_prefix.h"
#include "tests/support/bert_models.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/t5_models.h"

namespace token_activations_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A prefix whose rows are what the model computes for words, each read alone, is found again as these words.
void check_found(LanguageModel& model, Site site, const std::vector<std::int32_t>& words) {
  const std::int64_t layers = model.attention_shape(site).layers;
  std::map<std::int64_t, std::int64_t> pairs;
  for (std::int64_t layer = 0; layer < layers; ++layer) pairs[layer] = layer;
  PrefixSlot slot;
  SitePrefixTable rows;
  for (std::size_t i = 0; i < words.size(); ++i) {
    PrefixInit init;
    init.kind = PrefixInitKind::text;
    init.tokens = 1;
    init.text = {words[i]};
    const SitePrefixTable one = initial_prefix(init, model, site, layers, pairs);
    const Tensor packed = one.packed().rows;
    if (i == 0) rows = {PackedRows{Tensor(Dtype::f32, {std::ssize(words), packed.dim(1)})}, one.heads, one.head_dim, pairs};
    std::ranges::copy(packed.values<float>(),
                      std::get<PackedRows>(rows.source).rows.values<float>().begin() + static_cast<std::ptrdiff_t>(i) * packed.dim(1));
  }
  slot.emplace(site, std::move(rows));
  std::vector<std::int32_t> all(static_cast<std::size_t>(model.vocabulary()));
  std::iota(all.begin(), all.end(), 0);
  const auto found = resembled_words(model, slot, all, 3);
  REQUIRE(std::ssize(found) == layers);
  for (const auto& place : found) {
    CHECK(place.site == site);
    for (std::size_t i = 0; i < words.size(); ++i) {
      CAPTURE(place.layer);
      CHECK(place.keys[i].size() == 3);
      CHECK(place.keys[i].front().id == words[i]);
      CHECK(place.values[i].front().id == words[i]);
      CHECK(place.values[i].front().cosine == doctest::Approx(1).epsilon(1e-4));
    }
  }
}

}  // namespace

TEST_CASE("token activations: a prefix of words' activations resembles these words, at every site") {
  const auto t5 = golden_t5();
  for (const Site site : {Site::encoder_self, Site::decoder_self, Site::cross}) check_found(*t5, site, {7, 90, 33});
  const auto gpt2 = golden_gpt2();
  check_found(*gpt2, Site::decoder_self, {5, 60});
}

TEST_CASE("token activations: nothing to compare with is refused") {
  const auto t5 = golden_t5();
  CHECK_THROWS_AS((void)resembled_words(*t5, {}, {}, 3), ConfigError);
  CHECK_THROWS_AS((void)resembled_words(*t5, {}, std::vector<std::int32_t>{1}, 0), ConfigError);
}

}  // namespace token_activations_test
