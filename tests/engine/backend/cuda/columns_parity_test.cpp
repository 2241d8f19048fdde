#include <array>

#include <doctest/doctest.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/columns.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pack_heads.h"
#include "engine/ops/split_columns.h"
#include "tests/support/device_parity.h"

namespace columns_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// Operands a and b, as wide as given.
GradientCase two_blocks(std::int64_t a, std::int64_t b, std::function<Value(Graph&, const std::vector<Value>&)> build) {
  const Segments segments(std::array{20, 3});
  return {{{"r", segments}},
          {{"a", random_tensor({segments.rows(), a}, 1), "r"}, {"b", random_tensor({segments.rows(), b}, 2), "r"}},
          std::move(build)};
}

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: columns side by side, and a part of them") {
    for (const std::int64_t width : {16, 5}) {
      check_parity("concat", two_blocks(width, 3 * width, [](Graph&, const auto& v) {
                     return concat_columns(std::array{v[0], v[1], v[0]});
                   }));
      check_parity("slice",
                   two_blocks(3 * width, width, [width](Graph&, const auto& v) { return add(slice_columns(v[0], width, width), v[1]); }));
      check_parity("slice at the end",
                   two_blocks(2 * width, width, [width](Graph&, const auto& v) { return add(slice_columns(v[0], width, width), v[1]); }));
    }
  }

  TEST_CASE("cuda: columns in parts, of which some are not read") {
    for (const std::int64_t width : {8, 3}) {
      check_parity("split", two_blocks(4 * width, width, [width](Graph&, const auto& v) {
                     const auto parts = split_columns(v[0], {width, 2 * width, width});
                     return add(multiply(parts[0], parts[2]), v[1]);
                   }));
      check_parity("split in groups", two_blocks(12 * width, 3 * width, [width](Graph&, const auto& v) {
                     const auto parts = split_columns(v[0], {width, 2 * width, width}, 3);
                     return add(multiply(parts[0], parts[2]), v[1]);
                   }));
      // more parts than one launch moves
      check_parity("many parts", two_blocks(40 * width, width, [width](Graph&, const auto& v) {
                     const auto parts = split_columns(v[0], std::vector<std::int64_t>(40, width));
                     Value sum = v[1];
                     for (std::size_t i = 0; i < parts.size(); i += 3) sum = add(sum, scale(parts[i], static_cast<double>(i)));
                     return sum;
                   }));
    }
  }

  TEST_CASE("cuda: heads of prefixes side by side") {
    for (const std::int64_t dim : {16, 5}) {
      check_parity("pack", {{}, {{"x", random_tensor({2, 3, 7, dim}, 1)}}, [](Graph&, const auto& v) { return pack_heads(v[0]); }});
      check_parity("unpack", {{}, {{"y", random_tensor({7, 6 * dim}, 1)}}, [dim](Graph&, const auto& v) {
                                return unpack_heads(v[0], {2, 3, 7, dim});
                              }});
    }
  }
}

}  // namespace columns_parity_test
