#include "peft/initialise_prefix.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/causal_batch.h"
#include "models/open_model.h"
#include "tests/support/prefixes.h"
#include "tests/support/values.h"

namespace initialise_prefix_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

const std::vector<std::int32_t> kText = {8, 30, 77};

Tensor rows_of(const SitePrefixTable& table) { return table.packed().rows; }

}  // namespace

TEST_CASE("prefix initialiser: names") {
  CHECK(prefix_init_of("zero") == PrefixInitKind::zero);
  CHECK(prefix_init_of("text") == PrefixInitKind::text);
  CHECK_THROWS_WITH_AS((void)prefix_init_of("RANDOM"), "prefix initialiser: 'RANDOM' was given; wanted random, zero, text or adapter",
                       ConfigError);
}

TEST_CASE("prefix initialiser: random rows have the deviation asked for and follow the seed, zero ones are zero") {
  const auto model = golden_t5();
  const auto made = [&](PrefixInit init) {
    return numbers(rows_of(initial_prefix(init, *model, Site::decoder_self, 3, pairs_of_layers(3, 1))));
  };
  const auto random = made({.tokens = 20, .deviation = 0.1, .seed = 4});
  double squares = 0;
  for (const double x : random) squares += x * x;
  CHECK(std::sqrt(squares / static_cast<double>(random.size())) == doctest::Approx(0.1).epsilon(0.05));
  CHECK(made({.tokens = 20, .deviation = 0.1, .seed = 4}) == random);
  CHECK(made({.tokens = 20, .deviation = 0.1, .seed = 5}) != random);
  CHECK(made({.kind = PrefixInitKind::zero, .tokens = 2}) == std::vector<double>(2 * 240, 0.0));
}

TEST_CASE("prefix initialiser: a prefix of words' activations stands for the words") {
  // with the prefix in the encoder's first layer alone, unshifted, the first layer attends to the words and to its own tokens
  const auto model = golden_t5();
  const auto words = word_activations(*model, kText, 3);
  REQUIRE(words.size() == 3);
  CHECK(words.at(Site::encoder_self).keys.size() == 2);
  CHECK(words.at(Site::decoder_self).values.size() == 3);
  CHECK(words.at(Site::cross).keys.size() == 3);
  CHECK(words.at(Site::decoder_self).keys[0].dims() == Dims{3, 40});
  // the first layer's keys depend on the word alone: a repeated word gives the same row, in any place
  const auto again = word_activations(*model, {30}, 2);
  const auto row = [](const Tensor& rows, std::int64_t r) { return numbers(rows.rows(r, 1)); };
  check_close(row(again.at(Site::encoder_self).keys[0], 1), row(words.at(Site::encoder_self).keys[0], 1), 1e-6);
  check_close(row(again.at(Site::decoder_self).values[0], 0), row(words.at(Site::decoder_self).values[0], 1), 1e-6);
}

TEST_CASE("prefix initialiser: words' activations stand in the pair that the layer reads") {
  const auto model = golden_t5();
  const PrefixInit init{.kind = PrefixInitKind::text, .tokens = 4, .text = kText};
  const auto words = word_activations(*model, kText, 4).at(Site::decoder_self);
  const SitePrefixTable table = initial_prefix(init, *model, Site::decoder_self, 3, pairs_of_layers(3, 2));
  const Tensor rows = rows_of(table);
  for (std::size_t layer = 0; layer < 3; ++layer) {
    CAPTURE(layer);
    const std::size_t pair = static_cast<std::size_t>(table.pair_of_layer.at(static_cast<std::int64_t>(layer)));
    for (std::size_t r = 0; r < 4; ++r) {
      const auto given = rows.values<float>().subspan(r * 240 + pair * 80, 80);
      const auto key = std::as_const(words.keys[layer]).values<float>().subspan(r * 40, 40);
      const auto value = std::as_const(words.values[layer]).values<float>().subspan(r * 40, 40);
      CHECK(std::ranges::equal(given.first(40), key));
      CHECK(std::ranges::equal(given.last(40), value));
    }
  }
}

TEST_CASE("prefix initialiser: another prefix is taken over layer by layer, whatever its layout") {
  const auto model = golden_t5();
  SitePrefixTable other = packed_prefix(3, 2, 8);
  const PrefixInit init{.kind = PrefixInitKind::adapter, .tokens = 3, .seed = 1, .adapter = &other};
  // PEFT's layout for two submodules reads the pairs in another order
  const SitePrefixTable table = initial_prefix(init, *model, Site::decoder_self, 3, pairs_of_layers(3, 2));
  const Tensor given = rows_of(other);
  const Tensor rows = rows_of(table);
  for (const auto& [layer, pair] : table.pair_of_layer) {
    const auto from = static_cast<std::size_t>(layer) * 80;
    const auto to = static_cast<std::size_t>(pair) * 80;
    for (std::size_t r = 0; r < 2; ++r) {
      CHECK(std::ranges::equal(rows.values<float>().subspan(r * 240 + to, 80), given.values<float>().subspan(r * 240 + from, 80)));
    }
  }
  CHECK(std::abs(rows.values<float>()[2 * 240]) < 0.2F);  // the third row is random
  other.heads = 4;
  other.head_dim = 10;
  CHECK_THROWS_WITH_AS((void)initial_prefix(init, *model, Site::decoder_self, 3, pairs_of_layers(3, 2)),
                       "prefix initialiser: a prefix of 4 heads of 10 was given; wanted 5 of 8", ShapeError);
}

TEST_CASE("prefix initialiser: wants a text and rows") {
  const auto model = golden_t5();
  CHECK_THROWS_WITH_AS((void)word_activations(*model, {}, 3),
                       "prefix initialiser: a text of 0 tokens was given for 3 rows; wanted one at least", ConfigError);
  CHECK_THROWS_WITH_AS((void)initial_prefix({.tokens = 0}, *model, Site::cross, 3, {}),
                       "prefix initialiser: 0 rows of 3 layers were asked for; wanted one at least", ConfigError);
}

TEST_CASE("prefix initialiser: a decoder's words in front of a text are the words in the text") {
  // the logits behind a prefix of a text's keys and values are those behind the text itself
  const auto opened = open_model(golden("gpt2/model"));
  auto& model = dynamic_cast<CausalLm&>(*opened);
  const std::int64_t layers = model.attention_shape(Site::decoder_self).layers;
  PrefixSlot slot;
  slot.emplace(Site::decoder_self, initial_prefix({.kind = PrefixInitKind::text, .tokens = 3, .text = kText}, model, Site::decoder_self,
                                                  layers, pairs_of_layers(layers, 1)));
  const auto logits = [&](const Method& method, const Ids& ids) {
    const CausalBatch batch{.sequences = {ids}};
    Graph graph;
    const Conditioning conditioning = method.condition(graph);
    add_logits(model, graph, conditioning, batch.capacity(), false);
    Session session(compile(std::move(graph)));
    feed(session, batch, conditioning, model.limits(), 1);
    session.run();
    return session.result_tensor(causal::kLogits);
  };
  const Tensor behind = logits(PrefixTuning({slot}, {.shifted = true}), {5, 9});
  check_close(numbers(behind), numbers(logits(NoMethod(), {8, 30, 77, 5, 9}).rows(3, 2)), 1e-5);
}

}  // namespace initialise_prefix_test
