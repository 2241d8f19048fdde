#include "engine/core/rows.h"

#include <array>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

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

TEST_CASE("segments: rejects a negative length") {
  Segments segments;
  CHECK_THROWS_WITH_AS(segments.append(-2), "segments: a length of -2 was given; wanted none below zero", ShapeError);
  CHECK_THROWS_AS(Segments(std::array{1, -1}), ShapeError);
  CHECK(segments.count() == 0);
}
