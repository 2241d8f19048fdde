// Which keys attention on a GPU shows to a query, compiled for the host.
#include "engine/backend/cuda/attention/key_range.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

namespace key_range_test {

using namespace preamble;

namespace {

/// Keys of a segment as the definition of the op counts them: prefix key j of n stands at j - n, own keys where `own` says, or, in front,
/// as those of a prefix.
struct Places {
  std::int32_t prefixes = 0;
  std::vector<std::int32_t> own;
  std::int32_t context = 0;
};

bool sees(const cuda::KeyRange& range, const Places& places, std::int32_t key, std::int32_t query) {
  const auto count = static_cast<std::int32_t>(places.own.size());
  std::int32_t at = key - places.prefixes;
  if (at >= 0) at = range.keys_in_front ? at - count : places.own[static_cast<std::size_t>(at)];
  const bool own = key >= places.prefixes;
  if (own && range.causal && at > query && at >= places.context) return false;
  return range.window == 0 || at > query - range.window;
}

/// Every query from before the first key to behind the last one sees what it should.
void check_range(cuda::KeyRange range, const Places& places) {
  constexpr std::int32_t kFirst = 3;
  // rows of another segment in front and behind
  std::vector<std::int32_t> positions(kFirst, 1000);
  positions.insert(positions.end(), places.own.begin(), places.own.end());
  positions.push_back(-1000);
  range.positions = positions.data();
  const auto count = static_cast<std::int32_t>(places.own.size());
  const cuda::SegmentKeys keys{7, places.prefixes, kFirst, count, places.context};
  const std::int32_t end = places.own.empty() ? 5 : places.own.back() + 5;
  std::int32_t before = 0;
  for (std::int32_t query = 0; query < end; ++query) {
    const std::int32_t first = range.first_key(keys, query);
    const std::int32_t last = range.last_key(keys, query);
    for (std::int32_t key = 0; key < places.prefixes + count; ++key) {
      CAPTURE(query);
      CAPTURE(key);
      CHECK((first <= key && key < last) == sees(range, places, key, query));
    }
    CHECK(first >= before);
    before = first;
  }
}

std::vector<std::int32_t> counted(std::int32_t count) {
  std::vector<std::int32_t> own;
  for (std::int32_t i = 0; i < count; ++i) own.push_back(i);
  return own;
}

}  // namespace

TEST_CASE("kernels for GPUs: a query sees the keys that the definition of attention names") {
  const std::vector<std::vector<std::int32_t>> all_own = {{}, {0}, counted(9), {2, 3, 4}, {0, 1, 5, 6, 7, 11}, {1, 4, 9, 16, 25}};
  for (const auto& own : all_own) {
    for (const std::int32_t prefixes : {0, 1, 6}) {
      for (const std::int32_t window : {0, 1, 2, 5, 100}) {
        CAPTURE(own.size());
        CAPTURE(prefixes);
        CAPTURE(window);
        check_range({nullptr, window, true, false}, {prefixes, own, 0});
        // all of them stand in front of the queries, as rows of a space of their own
        if (prefixes == 0) check_range({nullptr, window, false, true}, {0, own, 0});
      }
      check_range({nullptr, 0, false, false}, {prefixes, own, 0});
      for (const std::int32_t context : {1, 3, 50}) check_range({nullptr, 0, true, false}, {prefixes, own, context});
    }
  }
}

}  // namespace key_range_test
