#include "models/prefix_cache.h"

#include <vector>

#include <doctest/doctest.h>

#include "models/causal_decoder.h"
#include "models/seq2seq_decoder.h"
#include "peft/made_up_training.h"
#include "peft/prefix_tuning.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/residence.h"
#include "tests/support/t5_models.h"

namespace prefix_cache_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kFloat = 4, kPair = 2;

/// Two prefixes of 4 and 2 rows at these sites.
PrefixTuning two_prefixes(LanguageModel& model, const std::vector<std::string>& sites) {
  std::vector<PrefixSlot> slots;
  for (const std::int64_t rows : {4, 2}) {
    const auto method = made_up_method({.method = "prefix", .virtual_tokens = rows, .sites = sites}, model, 1);
    slots.push_back(dynamic_cast<const PrefixTuning&>(*method).slots().front());
  }
  return {slots, {.shifted = true}};
}

Conditioning conditioning_of(const Method& method) {
  Graph graph;
  return method.condition(graph);
}

std::int64_t row_bytes(const LanguageModel& model, Site site) {
  const AttentionShape shape = model.attention_shape(site);
  return shape.layers * shape.kv_width() * kPair * kFloat;
}

/// The cache of an encoder-decoder with prefixes at every site, for some beams.
void check_encoder_decoder(EncoderDecoder& model) {
  const PrefixTuning method = two_prefixes(model, {"encoder_self", "decoder_self", "cross"});
  for (const std::int64_t beams : {1, 5}) {
    const DecoderCapacity capacity{.sequences = 3, .source_rows = 11, .beams = beams, .longest = 4};
    const CacheNeed need = cache_need(model, conditioning_of(method), capacity);
    CHECK(need.virtual_rows == 6 * (row_bytes(model, Site::decoder_self) + row_bytes(model, Site::cross)));
    CHECK(need.inputs == 11 * row_bytes(model, Site::cross));
    CHECK(need.generated == 3 * beams * 4 * row_bytes(model, Site::decoder_self));
    const Seq2SeqDecoder decoder(model, [&](Graph& graph) { return method.condition(graph); }, capacity);
    CHECK(decoder.cache_bytes() == need.total());
  }
}

}  // namespace

TEST_CASE("prefix cache: GPT-2 keeps prompts and prefixes once a slot, and the bytes are known beforehand") {
  const auto model = golden_gpt2();
  const PrefixTuning prefixes = two_prefixes(*model, {});
  const PromptTuning prompts({random_prompt(4, 32, 1), random_prompt(2, 32, 2)});
  for (const Method* method : {static_cast<const Method*>(&prefixes), static_cast<const Method*>(&prompts)}) {
    for (const std::int64_t beams : {1, 5}) {
      const CausalDecoderCapacity capacity{.sequences = 3, .prompt_tokens = 8, .beams = beams, .longest = 8, .new_tokens = 3};
      const CacheNeed need = cache_need(*model, conditioning_of(*method), capacity);
      CHECK(need.virtual_rows == 6 * row_bytes(*model, Site::decoder_self));
      CHECK(need.inputs == 8 * row_bytes(*model, Site::decoder_self));
      CHECK(need.generated == 3 * beams * 3 * row_bytes(*model, Site::decoder_self));
      const CausalDecoder decoder(*model, [&](Graph& graph) { return method->condition(graph); }, capacity);
      CHECK(decoder.cache_bytes() == need.total());
    }
  }
}

TEST_CASE("prefix cache: T5 keeps prefixes once a slot and sources once a sequence") { check_encoder_decoder(*golden_t5()); }

TEST_CASE("prefix cache: BART keeps prefixes once a slot and sources once a sequence") { check_encoder_decoder(*golden_bart()); }

TEST_CASE("prefix cache: what is written is what a step reads") {
  const auto model = golden_gpt2();
  const PrefixTuning method = two_prefixes(*model, {});
  const PrefixCache cache(*model, conditioning_of(method), {Site::decoder_self});
  Graph graph;
  cache.write(graph, method.condition(graph));
  Session session(compile(std::move(graph)));
  cache.feed(session);
  session.run();
  Graph step;
  const Conditioning read = cache.read(step);
  CHECK(read.prefix_shifts_positions);
  CHECK(read.first_position(Site::decoder_self, 1) == 2);
  const auto packed = method.slots()[1].at(Site::decoder_self).unpacked();
  const Tensor key = downloaded(step.node(read.prefix(Site::decoder_self, 2)->key).tensor);
  // row 1 of slot 1 stands behind the 4 rows of slot 0
  for (std::size_t head = 0; head < 4; ++head) {
    for (std::size_t j = 0; j < 8; ++j) {
      CHECK(key.values<float>()[5 * 32 + head * 8 + j] == packed.key.values<float>()[((2 * 4 + head) * 2 + 1) * 8 + j]);
    }
  }
}

}  // namespace prefix_cache_test
