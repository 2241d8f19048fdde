#include "models/causal_decoder.h"

#include <cmath>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/infixes.h"
#include "tests/support/t5_models.h"

namespace causal_decoder_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Sequences = std::vector<std::vector<std::int32_t>>;

void check_row(const std::vector<float>& given, const std::vector<float>& expected) {
  REQUIRE(given.size() == expected.size());
  double squares = 0;
  double error = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    squares += std::pow(static_cast<double>(expected[i]), 2);
    error += std::pow(static_cast<double>(given[i]) - static_cast<double>(expected[i]), 2);
  }
  CHECK(std::sqrt(error) <= 1e-5 * std::sqrt(squares));
}

/// The model and a method of two prompts of different lengths.
struct Setting {
  [[nodiscard]] CausalDecoder decoder(std::int64_t beams = 1, std::int64_t new_tokens = 3) {
    const CausalDecoderCapacity capacity{.sequences = 3, .prompt_tokens = 8, .beams = beams, .longest = 5 + new_tokens, .new_tokens = new_tokens};
    return {*model, [this](Graph& graph) { return method.condition(graph); }, capacity};
  }
  /// Logits behind the last token of one sequence, by a plain pass.
  [[nodiscard]] std::vector<float> plain(const Ids& sequence, std::int32_t slot) {
    return logits_of(*model, method, {.sequences = {sequence}, .slots = {slot}}).back();
  }

  std::unique_ptr<Gpt2> model = golden_gpt2();
  PromptTuning method{{random_prompt(3, 32, 1), random_prompt(2, 32, 2)}};
  Sequences prompts = {{5, 17, 33, 2, 9}, {90}, {12, 70}};
  std::vector<std::int32_t> slots = {0, 1, 0};
};

}  // namespace

TEST_CASE("causal decoder: cached logits are those of each sequence alone, token by token") {
  Setting s;
  auto decoder = s.decoder();
  decoder.use_slots(s.slots);
  auto rows = rows_of_logits(decoder.prefill(s.prompts, {}).logits, decoder.vocabulary());
  for (std::int32_t t = 0; t < 4; ++t) {
    CAPTURE(t);
    for (std::size_t i = 0; i < 3; ++i) check_row(rows.at(i), s.plain(s.prompts[i], s.slots[i]));
    if (t == 3) break;
    std::vector<StepRow> next;
    for (std::int32_t i = 0; i < 3; ++i) {
      const std::int32_t token = 40 + 7 * t + i;
      next.push_back({i, token, i});
      s.prompts[static_cast<std::size_t>(i)].push_back(token);
    }
    rows = rows_of_logits(decoder.step(next, {}).logits, decoder.vocabulary());
  }
}

TEST_CASE("causal decoder: beams branch, reorder and end, over one copy of their past") {
  Setting s;
  auto decoder = s.decoder(2);
  decoder.use_slots(s.slots);
  (void)decoder.prefill(s.prompts, {});
  (void)decoder.step(std::vector<StepRow>{{0, 8, 0}, {0, 44, 0}, {2, 3, 2}}, {});
  (void)decoder.step(std::vector<StepRow>{{1, 21, 0}, {0, 30, 0}, {2, 11, 2}}, {});
  const auto rows = rows_of_logits(decoder.step(std::vector<StepRow>{{0, 5, 0}, {0, 6, 0}, {2, 9, 2}}, {}).logits, decoder.vocabulary());
  check_row(rows.at(0), s.plain({5, 17, 33, 2, 9, 44, 21, 5}, 0));
  check_row(rows.at(1), s.plain({5, 17, 33, 2, 9, 44, 21, 6}, 0));
  check_row(rows.at(2), s.plain({12, 70, 3, 11, 9}, 0));
}

TEST_CASE("causal decoder: a second batch does not see the first") {
  Setting s;
  auto decoder = s.decoder();
  decoder.use_slots(s.slots);
  (void)decoder.prefill(s.prompts, {});
  (void)decoder.step(std::vector<StepRow>{{0, 8, 0}, {1, 9, 1}, {2, 3, 2}}, {});
  decoder.use_slots({1});
  const auto rows = rows_of_logits(decoder.prefill(Sequences{{60, 61}}, {}).logits, decoder.vocabulary());
  REQUIRE(rows.size() == 1);
  check_row(rows[0], s.plain({60, 61}, 1));
}

TEST_CASE("causal decoder: prompts are cached once a slot, and sequences without padding") {
  Setting s;
  const std::int64_t row = 3 * 32 * 4 * 2;  // layers, width, bytes, keys and values
  CHECK(s.decoder(1, 3).cache_bytes() == row * (5 + 8 + 3 * 1 * 3));
  CHECK(s.decoder(4, 3).cache_bytes() == row * (5 + 8 + 3 * 4 * 3));
}

TEST_CASE("causal decoder: capacities follow the prompts and the options") {
  GenerationConfig config;
  config.max_new_tokens = 7;
  config.num_beams = 4;
  const auto grown = CausalDecoderCapacity::of(Sequences{{1, 2, 3}, {4}}, config);
  CHECK(grown.sequences == 2);
  CHECK(grown.prompt_tokens == 4);
  CHECK(grown.beams == 4);
  CHECK(grown.longest == 10);
  CHECK(grown.new_tokens == 7);
  GenerationConfig bounded;
  bounded.max_length = 9;
  const auto limited = CausalDecoderCapacity::of(Sequences{{1, 2, 3}, {4}}, bounded);
  CHECK(limited.longest == 9);
  CHECK(limited.new_tokens == 8);
}

TEST_CASE("causal decoder: says what it cannot hold") {
  Setting s;
  auto decoder = s.decoder(1, 1);
  CHECK_THROWS_WITH_AS((void)decoder.prefill(Sequences{{1}, {}}, {}), "generation: an empty prompt was given; wanted one token at least", ConfigError);
  decoder.use_slots({0, 2});
  CHECK_THROWS_WITH_AS((void)decoder.prefill(Sequences{{1}, {2}}, {}), "sequence 1: slot 2 was given; there are 2", ConfigError);
  decoder.use_slots(s.slots);
  (void)decoder.prefill(s.prompts, {});
  (void)decoder.step(std::vector<StepRow>{{0, 8, 0}}, {});
  CHECK_THROWS_WITH_AS((void)decoder.step(std::vector<StepRow>{{0, 8, 0}}, {}), "generation: a sequence of 7 rows; the cache holds 6",
                       ShapeError);
}

TEST_CASE("causal decoder: a sequence that outgrows the positions is an error") {
  const auto model = golden_gpt2();
  const CausalDecoderCapacity capacity{.sequences = 1, .prompt_tokens = 63, .beams = 1, .longest = 70, .new_tokens = 7};
  CausalDecoder decoder(*model, [](Graph&) { return Conditioning{}; }, capacity);
  (void)decoder.prefill(Sequences{Ids(63, 5)}, {});
  (void)decoder.step(std::vector<StepRow>{{0, 8, 0}}, {});
  CHECK_THROWS_WITH_AS((void)decoder.step(std::vector<StepRow>{{0, 8, 0}}, {}),
                       "sequence 0: 65 positions are needed, virtual tokens included; the model has 64", ShapeError);
}

TEST_CASE("causal decoder: behind an infix, cached logits are those of plain passes, for all beams") {
  const auto model = golden_gpt2();
  for (const auto* kind : {"prompt", "prefix"}) {
    CAPTURE(kind);
    const auto method = two_infixes(kind);
    const Conditioner conditioner = [&](Graph& graph) { return method->condition(graph); };
    const CausalDecoderCapacity capacity{.sequences = 2, .prompt_tokens = 4, .beams = 2, .longest = 5, .new_tokens = 2};
    CausalDecoder decoder(*model, conditioner, capacity);
    decoder.use_slots({0, 1});
    // the label tells a plain pass where the given tokens end
    const auto plain = [&](const Ids& given, const Ids& made, std::int32_t slot) {
      CausalBatch batch{.sequences = {given}, .slots = {slot}, .labels = {Ids(given.size(), kNoLabel)}};
      batch.sequences[0].insert(batch.sequences[0].end(), made.begin(), made.end());
      batch.labels[0].insert(batch.labels[0].end(), made.begin(), made.end());
      return logits_of(*model, *method, batch).back();
    };
    auto rows = rows_of_logits(decoder.prefill(Sequences{{5, 17, 33}, {90}}, {}).logits, decoder.vocabulary());
    check_row(rows.at(0), plain({5, 17, 33}, {}, 0));
    check_row(rows.at(1), plain({90}, {}, 1));
    rows = rows_of_logits(decoder.step(std::vector<StepRow>{{0, 8, 0}, {0, 9, 0}, {1, 44, 1}}, {}).logits, decoder.vocabulary());
    check_row(rows.at(1), plain({5, 17, 33}, {9}, 0));
    rows = rows_of_logits(decoder.step(std::vector<StepRow>{{1, 70, 0}, {0, 71, 0}, {2, 7, 1}}, {}).logits, decoder.vocabulary());
    check_row(rows.at(0), plain({5, 17, 33}, {9, 70}, 0));
    check_row(rows.at(1), plain({5, 17, 33}, {8, 71}, 0));
    check_row(rows.at(2), plain({90}, {44, 7}, 1));
    Graph graph;
    CHECK(cache_need(*model, conditioner(graph), capacity).total() == decoder.cache_bytes());
  }
}

}  // namespace causal_decoder_test
