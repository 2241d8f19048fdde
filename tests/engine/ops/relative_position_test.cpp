#include "engine/ops/relative_position.h"

#include <fstream>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/golden.h"

namespace relative_position_test {

using namespace preamble;

TEST_CASE("relative position: near distances have a bucket each") {
  const RelativePositions both{.bidirectional = true, .max_distance = 128};
  CHECK(relative_position_bucket(0, both, 32) == 0);
  CHECK(relative_position_bucket(-7, both, 32) == 7);
  CHECK(relative_position_bucket(7, both, 32) == 16 + 7);
  const RelativePositions before{.bidirectional = false, .max_distance = 128};
  CHECK(relative_position_bucket(-15, before, 32) == 15);
  CHECK(relative_position_bucket(15, before, 32) == 0);
}

TEST_CASE("relative position: from max_distance on there is one bucket a direction") {
  const RelativePositions both{.bidirectional = true, .max_distance = 128};
  for (const std::int64_t far : {128, 129, 5000, 1'000'000'000}) {
    CHECK(relative_position_bucket(-far, both, 32) == 15);
    CHECK(relative_position_bucket(far, both, 32) == 31);
  }
}

TEST_CASE("relative position: buckets are those of transformers up to a distance of 1000") {
  std::ifstream file(testing::golden("relative_position/buckets.txt"));
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    std::istringstream numbers(line);
    int bidirectional = 0;
    RelativePositions positions;
    std::int64_t buckets = 0;
    numbers >> bidirectional >> buckets >> positions.max_distance;
    positions.bidirectional = bidirectional != 0;
    CAPTURE(line);
    int wrong = 0;
    std::int64_t next = 0;
    std::int32_t bucket = -1;
    std::int32_t next_bucket = -1;
    numbers >> next >> next_bucket;
    for (std::int64_t delta = -1000; delta <= 1000; ++delta) {
      if (delta == next) {
        bucket = next_bucket;
        if (!(numbers >> next >> next_bucket)) next = 1001;
      }
      if (relative_position_bucket(delta, positions, buckets) != bucket) ++wrong;
    }
    CHECK(wrong == 0);
  }
  CHECK(cases == 28);
}

}  // namespace relative_position_test
