#include <array>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/lstm.h"
#include "tests/support/device_parity.h"

namespace lstm_parity_test {

using namespace preamble;
using namespace preamble::testing;

TEST_SUITE("cuda") {
  TEST_CASE("cuda: LSTMs over ragged segments, both ways") {
    const Segments segments(std::array{5, 0, 1, 12});
    for (const std::int64_t hidden : {40, 7}) {
      for (const bool reversed : {false, true}) {
        const GradientCase test{{{"r", segments}},
                                {{"x", random_tensor({segments.rows(), 4 * hidden}, 1), "r"},
                                 {"w", random_tensor({4 * hidden, hidden}, 2)},
                                 {"b", random_tensor({4 * hidden}, 3)}},
                                [reversed, hidden](Graph&, const auto& v) {
                                  return lstm(v[0], scale(v[1], 3.0 / static_cast<double>(hidden)), v[2], reversed);
                                }};
        check_parity("lstm", test, {.bf16 = 4e-2});
      }
    }
  }

  TEST_CASE("cuda: an LSTM of no rows") {
    const GradientCase test{{{"r", Segments(std::array{0})}},
                            {{"x", random_tensor({0, 32}, 1), "r"}, {"w", random_tensor({32, 8}, 2)}, {"b", random_tensor({32}, 3)}},
                            [](Graph&, const auto& v) { return lstm(v[0], v[1], v[2], false); }};
    check_parity("lstm", test);
  }
}

}  // namespace lstm_parity_test
