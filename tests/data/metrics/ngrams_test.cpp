#include "data/metrics/ngrams.h"

#include <doctest/doctest.h>

namespace ngrams_test {

using namespace preamble::metrics;

TEST_CASE("ngrams: counts every window of the order") {
  const NgramCounts counts = count_ngrams({"a", "b", "a", "b", "c"}, 2);
  CHECK(counts == NgramCounts{{"a b", 2}, {"b a", 1}, {"b c", 1}});
  CHECK(total_count(counts) == 4);
  CHECK(count_of(counts, "b a") == 1);
  CHECK(count_of(counts, "c a") == 0);
}

TEST_CASE("ngrams: a text shorter than the order has none") {
  CHECK(count_ngrams({"a", "b"}, 3).empty());
  CHECK(count_ngrams({}, 1).empty());
}

TEST_CASE("ngrams: hits are clipped by the largest count of any reference") {
  NgramCounts most = count_ngrams({"the", "cat", "on", "the", "mat"}, 1);
  raise_to(most, count_ngrams({"a", "cat"}, 1));
  CHECK(count_of(most, "the") == 2);
  CHECK(clipped_hits(count_ngrams({"the", "the", "the", "cat", "cat", "a"}, 1), most) == 4);
}

TEST_CASE("ngrams: tokens are joined by single spaces") {
  CHECK(join_tokens({"a", "b", "c"}) == "a b c");
  CHECK(join_tokens({"a", "b", "c"}, 1, 2) == "b c");
  CHECK(join_tokens({}).empty());
}

}  // namespace ngrams_test
