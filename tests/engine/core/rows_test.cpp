#include "engine/core/rows.h"

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace rows_test {

using namespace preamble;

namespace {

std::vector<std::int32_t> list(std::span<const std::int32_t> values) { return {values.begin(), values.end()}; }

}  // namespace

TEST_CASE("segments: lengths become offsets") {
  const Segments segments(std::array{3, 0, 2});
  CHECK(segments.rows() == 5);
  CHECK(segments.count() == 3);
  CHECK(list(segments.offsets()) == std::vector<std::int32_t>{0, 3, 3, 5});
  CHECK(segments.length(1) == 0);
  CHECK(segments.length(2) == 2);
  CHECK(segments.positions().empty());
}

TEST_CASE("segments: none have no rows") {
  const Segments segments;
  CHECK(segments.rows() == 0);
  CHECK(segments.count() == 0);
  CHECK(segments.layout().rows == 0);
}

TEST_CASE("segments: positions are written down from the first sequence that has its own") {
  Segments segments(std::array{2});
  segments.append(std::array{1, 4, 5});
  segments.append(2);
  CHECK(list(segments.offsets()) == std::vector<std::int32_t>{0, 2, 5, 7});
  CHECK(list(segments.positions()) == std::vector<std::int32_t>{0, 1, 1, 4, 5, 0, 1});
}

TEST_CASE("segments: a layout tells length and position of every row") {
  Segments segments(std::array{2, 3});
  RowLayout layout = segments.layout();
  CHECK(layout.segments == 2);
  CHECK(layout.length(1) == 3);
  CHECK(layout.position(1, 3) == 1);
  segments.append(std::array{7});
  layout = segments.layout();
  CHECK(layout.rows == 6);
  CHECK(layout.position(1, 3) == 1);
  CHECK(layout.position(2, 5) == 7);
}

TEST_CASE("segments: rejects more rows than can be counted") {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  Segments segments(std::array{kMost - 1});
  CHECK_THROWS_WITH_AS(segments.append(2), "segments: 2147483646 rows and 2 more were given; wanted at most 2147483647 in all", ShapeError);
  CHECK_THROWS_AS(Segments(std::array{kMost, kMost, 2}), ShapeError);
  segments.append(1);
  CHECK(segments.rows() == kMost);
  CHECK_THROWS_AS(segments.append(1), ShapeError);
}

TEST_CASE("segments: selected rows keep segment and position") {
  Segments all(std::array{3});
  all.append(std::array{2, 5, 9});
  const Segments some = selected(all.layout(), std::array{1, 2, 2, 4});
  CHECK(list(some.offsets()) == std::vector<std::int32_t>{0, 3, 4});
  CHECK(list(some.positions()) == std::vector<std::int32_t>{1, 2, 2, 5});
  const Segments none = selected(all.layout(), {});
  CHECK(none.count() == 2);
  CHECK(none.rows() == 0);
  const Segments last = selected(all.layout(), std::array{5});
  CHECK(list(last.offsets()) == std::vector<std::int32_t>{0, 0, 1});
  CHECK(list(last.positions()) == std::vector<std::int32_t>{9});
  CHECK_THROWS_AS((void)selected(Segments().layout(), std::array{0}), ShapeError);
}

TEST_CASE("segments: rejects a negative length") {
  Segments segments;
  CHECK_THROWS_WITH_AS(segments.append(-2), "segments: a length of -2 was given; wanted none below zero", ShapeError);
  CHECK_THROWS_AS(Segments(std::array{1, -1}), ShapeError);
  CHECK(segments.count() == 0);
}

}  // namespace rows_test
