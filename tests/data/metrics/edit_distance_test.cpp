#include "data/metrics/edit_distance.h"

#include <doctest/doctest.h>

namespace edit_distance_test {

using namespace preamble::metrics;

namespace {

constexpr std::int64_t kWide = 25;

}  // namespace

TEST_CASE("edit_distance: counts insertions, deletions and substitutions") {
  const Tokens reference = {"a", "b", "c", "d"};
  BeamEditDistance distance(reference, 3, kWide);
  CHECK(distance({"a", "x", "d"}) == 2);
  CHECK(distance.edits() == std::vector<Edit>{Edit::keep, Edit::insert, Edit::substitute, Edit::keep});
}

TEST_CASE("edit_distance: rows kept from the last call are those of the common beginning") {
  const Tokens reference = {"a", "b", "c", "d"};
  BeamEditDistance distance(reference, 4, kWide);
  CHECK(distance({"a", "b", "d", "c"}) == 2);
  CHECK(distance({"a", "b", "c", "d"}) == 0);
  CHECK(distance({"d", "b", "c", "a"}) == 2);
  CHECK(distance({"a", "b", "d", "c"}) == 2);
}

TEST_CASE("edit_distance: an empty hypothesis is insertions alone") {
  const Tokens reference = {"a", "b"};
  BeamEditDistance distance(reference, 0, kWide);
  CHECK(distance({}) == 2);
  CHECK(distance.edits() == std::vector<Edit>{Edit::insert, Edit::insert});
}

TEST_CASE("edit_distance: a beam too narrow for the lengths is widened") {
  const Tokens reference(200, "a");
  BeamEditDistance distance(reference, 2, 1);
  CHECK(distance({"a", "a"}) == 198);
  CHECK(distance.edits().size() == 200);
}

}  // namespace edit_distance_test
