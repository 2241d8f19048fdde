#include "data/corpus/text_infilling.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

namespace text_infilling_test {

using namespace preamble;

namespace {

using Ids = std::vector<std::int32_t>;

Ids counting(std::int32_t count) {
  Ids ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 100);
  return ids;
}

}  // namespace

TEST_CASE("text infilling: the counted share of tokens goes, each span for one mask, the rest stays in order") {
  Random random(4);
  const Ids tokens = counting(50);
  for (int draw = 0; draw < 50; ++draw) {
    const Ids noisy = infill(tokens, {.density = 0.3, .mean_length = 3, .mask = 7}, {}, random);
    Ids kept;
    std::ranges::copy_if(noisy, std::back_inserter(kept), [](std::int32_t id) { return id != 7; });
    CHECK(kept.size() == 35);
    CHECK(std::ranges::is_sorted(kept));
    CHECK(std::ranges::adjacent_find(noisy, [](std::int32_t a, std::int32_t b) { return a == 7 && b == 7; }) == noisy.end());
    CHECK(noisy.size() > kept.size());
  }
}

TEST_CASE("text infilling: the mean length of spans is that of the distribution") {
  Random random(9);
  const Ids tokens = counting(20000);
  const Ids noisy = infill(tokens, {.density = 0.3, .mean_length = 3, .mask = 7}, {}, random);
  const auto masks = static_cast<double>(std::ranges::count(noisy, 7));
  CHECK(6000 / masks == doctest::Approx(3).epsilon(0.06));
}

TEST_CASE("text infilling: masks may be random words, and short texts do not break") {
  Random random(2);
  const Ids words = {1, 2, 3};
  const Ids noisy = infill(counting(400), {.density = 0.3, .mean_length = 3, .random_rate = 1, .mask = 7}, words, random);
  CHECK(std::ranges::count(noisy, 7) == 0);
  CHECK(std::ranges::count_if(noisy, [](std::int32_t id) { return id < 4; }) > 20);
  for (int draw = 0; draw < 30; ++draw) CHECK(infill(counting(1), {.density = 0.3, .mask = 7}, {}, random) == Ids{7});
  for (int draw = 0; draw < 30; ++draw) CHECK(infill(counting(4), {.density = 0.9, .mean_length = 1, .mask = 7}, {}, random).size() == 1);
}

TEST_CASE("text infilling: sentences are permuted as wholes") {
  Random random(1);
  std::vector<bool> ends(10);
  ends[9] = true;
  const Ids tokens = {1, 2, 9, 3, 9, 4, 5, 6};
  const std::vector<Ids> sentences = {{1, 2, 9}, {3, 9}, {4, 5, 6}};
  bool moved = false;
  for (int draw = 0; draw < 20; ++draw) {
    const Ids found = permute_sentences(tokens, ends, random);
    std::vector<std::size_t> order = {0, 1, 2};
    bool fits = false;
    do {
      Ids joined;
      for (const auto i : order) joined.insert(joined.end(), sentences[i].begin(), sentences[i].end());
      fits = fits || joined == found;
    } while (std::ranges::next_permutation(order).found);
    CHECK(fits);
    moved = moved || found != tokens;
  }
  CHECK(moved);
}

}  // namespace text_infilling_test
