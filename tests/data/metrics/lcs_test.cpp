#include "data/metrics/lcs.h"

#include <doctest/doctest.h>

namespace lcs_test {

using namespace preamble::metrics;

TEST_CASE("lcs: length of the longest common subsequence") {
  CHECK(lcs_length({"a", "b", "c", "d"}, {"b", "x", "d", "a"}) == 2);
  CHECK(lcs_length({"a"}, {}) == 0);
  CHECK(lcs_length({}, {"a"}) == 0);
}

TEST_CASE("lcs: positions are those of one subsequence, in order") {
  using Positions = std::vector<std::size_t>;
  CHECK(lcs_positions({"a", "b", "c", "d"}, {"b", "x", "d"}) == Positions{1, 3});
  // both a and b would do; the reference steps back where the table does not decide
  CHECK(lcs_positions({"a", "b"}, {"b", "a"}) == Positions{0});
  CHECK(lcs_positions({"a"}, {"b"}).empty());
}

}  // namespace lcs_test
