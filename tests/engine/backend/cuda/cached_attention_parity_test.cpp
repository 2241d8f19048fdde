#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/backend/cuda/backend.h"
#include "engine/ops/cached_attention.h"
#include "tests/support/device_parity.h"
#include "tests/support/values.h"

namespace cached_attention_parity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct CachedCase {
  AttentionOptions options;
  std::int64_t dim = 16;
  bool prefix = false;
  std::int64_t buckets = 0;
};

/// Histories of many lengths, whose rows lie scattered in one cache.
GradientCase cached_case(const CachedCase& c) {
  constexpr std::int32_t kRows = 9, kLongest = 1500, kPlaces = 1601;
  const std::int64_t kv_width = c.options.kv_heads * c.dim;
  std::vector<std::int32_t> lengths{1500, 1, 0, 17, 1024, 1025, 64, 300, 1499};
  std::vector<std::int32_t> table;
  std::vector<std::int32_t> slots;
  for (std::int32_t r = 0; r < kRows; ++r) {
    for (std::int32_t j = 0; j < kLongest; ++j) table.push_back(j < lengths[static_cast<std::size_t>(r)] ? (j * 7 + r * 131) % kPlaces : -1);
    slots.push_back(r % 4);
  }
  GradientCase test{{{"r", Segments(std::array{kRows})}},
                    {{"q", random_tensor({kRows, c.options.heads * c.dim}, 1), "r"},
                     {"cache_k", random_tensor({kPlaces, kv_width}, 2), {}, false},
                     {"cache_v", random_tensor({kPlaces, kv_width}, 3), {}, false},
                     {"table", tensor_of({kRows, kLongest}, table), "r"},
                     {"lengths", indices(lengths), "r"}},
                    {}};
  if (c.prefix) {
    test.spaces.emplace_back("p", Segments(std::array{20, 0, 3}));
    test.operands.push_back({"prefix_k", random_tensor({23, kv_width}, 4), "p"});
    test.operands.push_back({"prefix_v", random_tensor({23, kv_width}, 5), "p"});
    test.operands.push_back({"slots", indices(slots), "r"});
  }
  if (c.buckets > 0) test.operands.push_back({"bias_table", random_tensor({c.buckets, c.options.heads}, 6), {}, false});
  test.build = [c](Graph&, const std::vector<Value>& v) {
    CachedAttentionOperands o;
    o.q = v[0], o.cache_k = v[1], o.cache_v = v[2], o.table = v[3], o.lengths = v[4];
    if (c.prefix) o.prefix_k = v[5], o.prefix_v = v[6], o.slots = v[7];
    if (c.buckets > 0) o.bias_table = v.back();
    return cached_attention(o, c.options);
  };
  return test;
}

}  // namespace

TEST_SUITE("cuda") {
  TEST_CASE("cuda: attention of new positions to a cache, whole or in a window") {
    for (const int window : {0, 1, 20, 1024, 5000}) {
      for (const std::int64_t dim : {16, 64, 150}) {
        for (const bool prefix : {false, true}) {
          CachedCase c{.options = {.heads = 4, .kv_heads = 2, .scale = 0.3}, .dim = dim, .prefix = prefix};
          c.options.window = window;
          c.options.keys_in_front = window > 0;
          check_parity(fmt::format("window of {}, heads of {}, prefix: {}", window, dim, prefix), cached_case(c), {.trained = false});
        }
      }
    }
  }

  TEST_CASE("cuda: attention of new positions to a cache, with biases by distance") {
    for (const bool prefix : {false, true}) {
      CachedCase c{.options = {.heads = 4, .kv_heads = 4, .scale = 1}, .dim = 32, .prefix = prefix, .buckets = 32};
      c.options.relative = {.bidirectional = false, .max_distance = 128};
      for (const bool positions : {false, true}) {
        c.options.prefix_has_positions = positions;
        check_parity("biases", cached_case(c), {.trained = false});
      }
    }
  }
}

}  // namespace cached_attention_parity_test
