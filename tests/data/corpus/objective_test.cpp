#include "data/corpus/objective.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/golden.h"
#include "tests/support/word_tokenizer.h"

namespace objective_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Ids = std::vector<std::int32_t>;

const Tokenizer& t5() {
  static const auto tokenizer = load_tokenizer(golden("tokenizers/t5-nano"));
  return *tokenizer;
}

Ids window_of(std::int64_t length, std::int32_t first = 500) {
  Ids ids(static_cast<std::size_t>(length));
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

Ids joined(Ids a, const Ids& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("objectives: a prefix LM cuts the window in two, with end tokens, and targets at their limit") {
  const auto objective = make_objective({.max_source_length = 33, .max_target_length = 12}, t5(), false);
  CHECK(objective->window() == 32);
  const Ids window = window_of(32);
  Random random(1);
  bool cut = false;
  for (int draw = 0; draw < 40; ++draw) {
    const Example e = objective->make(window, random);
    REQUIRE(e.source.back() == 1);
    const std::size_t prefix = e.source.size() - 1;
    CHECK(prefix >= 1);
    CHECK(prefix <= 31);
    CHECK(std::equal(window.begin(), window.begin() + static_cast<std::ptrdiff_t>(prefix), e.source.begin()));
    CHECK(e.target.size() == std::min<std::size_t>(12, 32 - prefix + 1));
    CHECK(e.target.front() == window[prefix]);
    if (e.target.size() == 12 && e.target.back() != 1) cut = true;
    CHECK(e.source.size() <= objective->largest().source.size());
    CHECK(e.target.size() <= objective->largest().target.size());
  }
  CHECK(cut);
}

TEST_CASE("objectives: a decoder's prefix LM has labels behind the prefix alone, and no special tokens") {
  const auto objective = make_objective({.max_source_length = 20}, t5(), true);
  CHECK(objective->window() == 20);
  Random random(1);
  const Example e = objective->make(window_of(20), random);
  CHECK(joined(e.source, e.target) == window_of(20));
  CHECK_FALSE(e.source.empty());
  CHECK_FALSE(e.target.empty());
}

TEST_CASE("objectives: span corruption writes what the sentinels stand for, ids of sentinels descending") {
  const auto objective = make_objective({.kind = ObjectiveKind::span_corruption, .max_source_length = 64}, t5(), false);
  const std::int32_t first = *t5().token_to_id("<extra_id_0>");
  REQUIRE(*t5().token_to_id("<extra_id_1>") == first - 1);
  CHECK(objective->window() == 70);
  Random random(7);
  for (const std::int64_t length : {70, 33, 2}) {
    const Ids window = window_of(length);
    const Example e = objective->make(window, random);
    CHECK(e.source.back() == 1);
    CHECK(e.target.back() == 1);
    CHECK(e.target.front() == first);
    // the text again: at each sentinel of the source what the target has behind it
    Ids text;
    std::int32_t next = first;
    for (std::size_t i = 0; i + 1 < e.source.size(); ++i) {
      if (e.source[i] != next) {
        text.push_back(e.source[i]);
        continue;
      }
      auto at = std::ranges::find(e.target, next) + 1;
      for (--next; *at != next && *at != 1; ++at) text.push_back(*at);
    }
    CHECK(text == window);
    CHECK(e.source.size() <= objective->largest().source.size());
    CHECK(e.target.size() <= objective->largest().target.size());
  }
  const Example full = objective->make(window_of(70), random);
  CHECK(full.source.size() == 64);
  CHECK_THROWS_WITH_AS((void)make_objective({.kind = ObjectiveKind::span_corruption, .max_source_length = 4000}, t5(), false),
                       doctest::Contains("the tokenizer has no '<extra_id_100>'"), ConfigError);
  const auto words = word_tokenizer();
  CHECK_THROWS_AS((void)make_objective({.kind = ObjectiveKind::span_corruption}, *words, false), ConfigError);
}

TEST_CASE("objectives: every window up to the largest fits what a program is planned for") {
  for (const double density : {0.15, 0.3, 0.5}) {
    const auto objective = make_objective({.kind = ObjectiveKind::span_corruption, .max_source_length = 48, .noise_density = density}, t5(), false);
    Random random(1);
    for (std::int64_t length = 2; length <= objective->window(); ++length) {
      const Example e = objective->make(window_of(length), random);
      CHECK(e.source.size() <= objective->largest().source.size());
      CHECK(e.target.size() <= objective->largest().target.size());
    }
  }
}

TEST_CASE("objectives: a causal LM has a label for each token") {
  const auto objective = make_objective({.kind = ObjectiveKind::causal_lm, .max_source_length = 9}, t5(), true);
  Random random(1);
  const Example e = objective->make(window_of(9), random);
  CHECK(e.source.empty());
  CHECK(e.target == window_of(9));
}

TEST_CASE("objectives: a masked LM labels the counted tokens, of which most are masked") {
  const auto words = word_tokenizer();
  const auto objective = make_objective({.kind = ObjectiveKind::masked_lm, .max_source_length = 402}, *words, false);
  CHECK(objective->window() == 400);
  const Ids window(400, word::cat);
  Random random(3);
  std::int64_t masked = 0, kept = 0, other = 0;
  for (int draw = 0; draw < 20; ++draw) {
    const Example e = objective->make(window, random);
    REQUIRE(e.source.size() == 402);
    CHECK(e.source.front() == word::cls);
    CHECK(e.source.back() == word::sep);
    for (std::size_t i = 0; i < e.source.size(); ++i) {
      if (e.tags[i] == kNoTag) continue;
      CHECK(e.tags[i] == word::cat);
      (e.source[i] == word::mask ? masked : e.source[i] == word::cat ? kept : other) += 1;
      CHECK((e.source[i] == word::mask || !words->is_special(e.source[i])));
    }
  }
  CHECK(masked + kept + other == 20 * 60);
  CHECK(masked > 20 * 60 * 0.75);
  CHECK(masked < 20 * 60 * 0.85);
  CHECK(other > 20 * 60 * 0.06);
  CHECK_THROWS_AS((void)make_objective({.kind = ObjectiveKind::masked_lm}, t5(), false), ConfigError);
}

TEST_CASE("objectives: denoising writes the text itself") {
  const auto words = word_tokenizer();
  const auto objective = make_objective({.kind = ObjectiveKind::denoising, .max_source_length = 14}, *words, false);
  const Ids window = {word::ann, word::lives, word::in, word::rome, word::dot, word::the, word::cat, word::sat, word::on, word::the, word::mat, word::dot};
  Random random(3);
  const Example e = objective->make(window, random);
  CHECK(e.target == joined(joined({word::cls}, window), {word::sep}));
  CHECK(e.source.front() == word::cls);
  CHECK(e.source.back() == word::sep);
  CHECK(std::ranges::count(e.source, word::mask) > 0);
  CHECK(e.source.size() <= objective->largest().source.size());
}

TEST_CASE("objectives: names and descriptions") {
  for (const auto* name : {"prefix-lm", "span-corruption", "causal-lm", "masked-lm", "denoising"}) CHECK(name_of(objective_of(name)) == name);
  CHECK_THROWS_AS((void)objective_of("ul2"), ConfigError);
  CHECK(make_objective({.kind = ObjectiveKind::span_corruption}, t5(), false)->describe() ==
        "span-corruption, 568 tokens with 85 noise tokens in 28 spans (density 0.15, mean length 3)");
  CHECK(make_objective({}, t5(), false)->describe() == "prefix-lm, 1024 and 256 tokens at most");
}

}  // namespace objective_test
