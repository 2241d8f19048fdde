#include "data/corpus/span_noise.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace span_noise_test {

using namespace preamble;

namespace {

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("span noise: windows are as long as those of T5's own helper") {
  // inputs, density, mean length -> tokens, targets: random_spans_helper of text-to-text-transfer-transformer
  struct Case {
    std::int64_t inputs;
    double density, mean;
    std::int64_t tokens, targets;
  };
  for (const Case& c : {Case{512, 0.15, 3, 568, 114}, Case{512, 0.15, 10, 591, 99}, Case{512, 0.5, 3, 766, 512}, Case{128, 0.15, 3, 141, 29},
                        Case{64, 0.25, 2, 72, 28}, Case{1024, 0.15, 3, 1137, 229}}) {
    CAPTURE(c.inputs);
    CAPTURE(c.density);
    const SpanCounts counts = largest_window(c.inputs, {c.density, c.mean});
    CHECK(counts.tokens == c.tokens);
    CHECK(counts.targets() == c.targets);
    CHECK(counts.inputs() <= c.inputs);
  }
}

TEST_CASE("span noise: numbers are rounded half to even and kept in bounds") {
  CHECK(span_counts(10, {0.25, 1}).noise == 2);  // 2.5
  CHECK(span_counts(14, {0.25, 1}).noise == 4);  // 3.5
  CHECK(span_counts(2, {0.15, 3}).noise == 1);
  CHECK(span_counts(2, {0.15, 3}).spans == 1);
  CHECK(span_counts(3, {0.9, 3}).noise == 2);
  CHECK_THROWS_AS((void)span_counts(1, {}), ConfigError);
  CHECK_THROWS_AS((void)span_counts(10, {0, 3}), ConfigError);
  CHECK_THROWS_AS((void)span_counts(10, {1, 3}), ConfigError);
  CHECK_THROWS_AS((void)span_counts(10, {0.15, 0.5}), ConfigError);
  CHECK_THROWS_AS((void)span_counts(10, {0.8, 1}), ConfigError);
}

TEST_CASE("span noise: a mask has the counted tokens in the counted spans, a clean one first") {
  Random random(5);
  for (const std::int64_t tokens : {2, 7, 40, 568}) {
    const SpanCounts counts = span_counts(tokens, {});
    for (int draw = 0; draw < 20; ++draw) {
      const auto mask = random_spans_noise_mask(counts, random);
      REQUIRE(std::ssize(mask) == tokens);
      CHECK(std::ranges::count(mask, true) == counts.noise);
      CHECK_FALSE(mask.front());
      CHECK(mask.back());
      std::int64_t spans = 0;
      for (std::size_t i = 0; i < mask.size(); ++i) spans += mask[i] && (i == 0 || !mask[i - 1]) ? 1 : 0;
      CHECK(spans == counts.spans);
    }
  }
}

TEST_CASE("span noise: each way to cut is as likely") {
  Random random(3);
  std::map<std::vector<std::int64_t>, int> seen;
  constexpr int kDraws = 6000;
  for (int i = 0; i < kDraws; ++i) ++seen[random_segmentation(5, 3, random)];
  CHECK(seen.size() == 6);  // 4 choose 2
  for (const auto& [lengths, count] : seen) {
    CHECK(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}) == 5);
    CHECK(count > kDraws / 6 - 150);
    CHECK(count < kDraws / 6 + 150);
  }
  CHECK(random_segmentation(1, 1, random) == std::vector<std::int64_t>{1});
}

TEST_CASE("span noise: sentinels take the places of spans, each its own") {
  const Ids tokens = {10, 11, 12, 13, 14, 15};
  const std::vector<bool> mask = {false, true, true, false, false, true};
  const Ids sentinels = {99, 98, 97};
  CHECK(with_sentinels(tokens, mask, true, sentinels) == Ids{10, 99, 13, 14, 98});
  CHECK(with_sentinels(tokens, mask, false, sentinels) == Ids{99, 11, 12, 98, 15});
  CHECK_THROWS_AS((void)with_sentinels(tokens, mask, true, Ids{99}), ConfigError);
}

TEST_CASE("span noise: a prefix has any length that leaves a token on both sides") {
  Random random(1);
  std::map<std::int64_t, int> seen;
  for (int i = 0; i < 3000; ++i) ++seen[random_prefix_length(4, random)];
  CHECK(seen.size() == 3);
  for (std::int64_t length = 1; length <= 3; ++length) CHECK(seen[length] > 900);
  CHECK(random_prefix_length(2, random) == 1);
}

}  // namespace span_noise_test
