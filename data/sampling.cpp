#include "data/sampling.h"

#include <algorithm>

#include "engine/core/error.h"
#include "engine/core/random.h"

namespace preamble {
namespace {

constexpr std::uint64_t kStream = 0x5AB5A3B1E0000000ULL;

}  // namespace

std::vector<std::uint32_t> sample_of(std::int64_t total, std::int64_t count, std::uint64_t seed) {
  require<ConfigError>(count >= 1 && count <= total, "a sample of {} of {} items; wanted 1 to {}", count, total, total);
  auto order = Random(seed, kStream).permutation(static_cast<std::uint32_t>(total));
  order.resize(static_cast<std::size_t>(count));
  std::ranges::sort(order);
  return order;
}

}  // namespace preamble
