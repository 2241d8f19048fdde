#include "engine/ops/disentangled_position.h"

#include <fstream>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/golden.h"

namespace disentangled_position_test {

using namespace preamble;

TEST_CASE("disentangled position: near distances have a row each, ascending from key ahead to query ahead") {
  const DisentangledPositions positions{.buckets = 256, .max_distance = 512};
  for (const std::int32_t delta : {-128, -1, 0, 1, 127, 128}) CHECK(disentangled_position_row(delta, positions) == 256 + delta);
}

TEST_CASE("disentangled position: from max_distance on there is one row a direction") {
  for (const DisentangledPositions& positions :
       {DisentangledPositions{.buckets = 8, .max_distance = 64}, {.buckets = 0, .max_distance = 8}}) {
    for (const std::int64_t far : {64, 65, 5000, 1'000'000'000}) {
      CHECK(disentangled_position_row(-far, positions) == 0);
      CHECK(disentangled_position_row(far, positions) == 15);
    }
  }
}

TEST_CASE("disentangled position: rows are those of transformers up to a distance of 1100") {
  std::ifstream file(testing::golden("disentangled_position/rows.txt"));
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    std::istringstream numbers(line);
    DisentangledPositions positions;
    std::int64_t next = 0;
    std::int32_t row = -1;
    std::int32_t next_row = -1;
    numbers >> positions.buckets >> positions.max_distance >> next >> next_row;
    CAPTURE(positions.buckets);
    CAPTURE(positions.max_distance);
    int wrong = 0;
    for (std::int64_t delta = -1100; delta <= 1100; ++delta) {
      if (delta == next) {
        row = next_row;
        if (!(numbers >> next >> next_row)) next = 1101;
      }
      if (disentangled_position_row(delta, positions) != row) ++wrong;
    }
    CHECK(wrong == 0);
  }
  CHECK(cases == 8);
}

}  // namespace disentangled_position_test
