#include <algorithm>
#include <array>
#include <vector>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/rotary.h"
#include "tests/support/device_parity.h"
#include "tests/support/values.h"

namespace rotary_parity_test {

using namespace preamble;
using namespace preamble::testing;

TEST_SUITE("cuda") {
  TEST_CASE("cuda: rotary positions, of whole heads and of a part of each") {
    for (const std::int64_t dim : {64, 8, 11}) {
      const Segments segments(std::array{37, 5});
      std::vector<std::int32_t> positions;
      for (std::int32_t r = 0; r < segments.rows(); ++r) positions.push_back(7 * r);
      GradientCase test{{{"r", segments}},
                        {{"x", random_tensor({segments.rows(), 3 * dim}, 1), "r"}, {"positions", indices(positions), "r"}},
                        [](Graph&, const std::vector<Value>& v) {
                          return rotary(v[0], rotary_angles(v[1], {1.0, 0.3, 0.01, 1e-4}, 1.25), 3);
                        }};
      check_parity("rotary", test);
      // sequences longer than 100 positions
      std::vector<std::int32_t> counts(positions.size(), 7 * segments.rows());
      counts.front() = 100;
      test.operands.push_back({"counts", indices(counts), "r"});
      test.build = [](Graph&, const std::vector<Value>& v) {
        return rotary(v[0], rotary_angles(v[1], v[2], {1.0, 0.3, 0.01, 1e-4}, 1.25, {.factor = 2, .original_length = 100}), 3);
      };
      check_parity("rotary", test);
    }
  }
}

}  // namespace rotary_parity_test
