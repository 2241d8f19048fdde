#include "tests/models/generate/dense_search.h"

#include <functional>
#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/generate/generate.h"

namespace dense_search_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Sequences = std::vector<std::vector<std::int32_t>>;

/// One model, its options and prompts, drawn at random: each rule is on in about half of them.
struct SearchCase {
  explicit SearchCase(std::uint64_t seed) : random(seed, 17) {
    model.vocabulary = 5 + below(36);
    model.order = static_cast<std::size_t>(below(3));
    model.seed = seed;
    model.scale = 6;
    // whole numbers: many scores are equal
    if (coin()) model.unit_of_scores = 1;
    for (std::int64_t i = below(3); i > 0; --i) config.eos_token_ids.push_back(token());
    model.ends = config.eos_token_ids;
    config.max_new_tokens = static_cast<int>(1 + below(7));
    if (coin()) config.min_new_tokens = static_cast<int>(below(4));
    if (coin()) config.num_beams = static_cast<int>(2 + below(3));
    config.do_sample = below(3) == 0;
    if (config.num_beams > 1 || config.do_sample) config.num_return_sequences = static_cast<int>(1 + below(2));
    config.length_penalty = static_cast<double>(below(4)) * 0.5;
    config.early_stopping = static_cast<EarlyStopping>(below(3));
    if (coin()) config.temperature = 0.7;
    config.top_k = coin() ? 0 : static_cast<int>(2 + below(6));
    if (coin()) config.top_p = 0.8;
    config.seed = seed;
    if (coin()) config.repetition_penalty = coin() ? 1.7 : 0.6;
    if (coin()) config.no_repeat_ngram_size = static_cast<int>(1 + below(3));
    while (coin()) config.bad_words_ids.push_back(tokens(1 + below(3)));
    if (coin()) config.forced_bos_token_id = token();
    if (coin()) config.forced_eos_token_id = token();
    while (coin()) suppress(token());
    for (std::int64_t i = 1 + below(3); i > 0; --i) prompts.push_back(tokens(1 + below(4)));
  }

  std::int64_t below(std::int64_t bound) { return static_cast<std::int64_t>(random.bits()) % bound; }
  bool coin() { return below(2) == 1; }
  std::int32_t token() { return static_cast<std::int32_t>(below(model.vocabulary)); }
  std::vector<std::int32_t> tokens(std::int64_t count) {
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(token());
    return ids;
  }
  void suppress(std::int32_t id) {
    if (id != config.forced_bos_token_id && id != config.forced_eos_token_id) config.suppress_tokens.push_back(id);
  }

  Random random;
  ToyModel model{};
  GenerationConfig config;
  Sequences prompts;
};

/// What a search finds, or the error that it ends with.
struct Outcome {
  Sequences found;
  std::string error;

  bool operator==(const Outcome&) const = default;
};

Outcome outcome_of(const std::function<Sequences()>& search) {
  try {
    return {search(), {}};
  } catch (const Error& error) {
    return {{}, error.what()};
  }
}

}  // namespace

TEST_CASE("generate: searches that read the best tokens of a row find what searches over whole rows find, under all rules") {
  std::size_t greedy = 0, beams = 0, sampled = 0, errors = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    CAPTURE(seed);
    const SearchCase item(seed);
    if (candidate_count(item.config) > item.config.num_beams * item.model.vocabulary) continue;
    ToyDecoder decoder(item.model);
    const Outcome sparse = outcome_of([&] { return generate(decoder, item.config, item.prompts); });
    const Outcome dense = outcome_of([&] { return DenseSearch(item.model, item.config).run(item.prompts); });
    // which of several prompts fails first differs
    CHECK(sparse.error.empty() == dense.error.empty());
    CHECK(sparse.found == dense.found);
    errors += sparse.error.empty() ? 0U : 1U;
    (item.config.do_sample ? sampled : item.config.num_beams > 1 ? beams : greedy) += 1;
  }
  CHECK(greedy > 100);
  CHECK(beams > 100);
  CHECK(sampled > 100);
  // rules that leave nothing to draw are few
  CHECK(errors < 100);
}

}  // namespace dense_search_test
