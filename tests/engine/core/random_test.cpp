#include "engine/core/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

namespace random_test {

using namespace preamble;

namespace {

using Words = std::array<std::uint32_t, 4>;

std::vector<std::uint32_t> draw(Random random, int count) {
  std::vector<std::uint32_t> bits;
  for (int i = 0; i < count; ++i) bits.push_back(random.bits());
  return bits;
}

}  // namespace

// the known answers of Random123's own test, kat_vectors
TEST_CASE("philox: gives the published answers") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: bits are philox words in order") {
  const Words first = philox({0, 0, 9, 0}, {5, 0});
  const Words second = philox({1, 0, 9, 0}, {5, 0});
  std::vector<std::uint32_t> expected(first.begin(), first.end());
  expected.insert(expected.end(), second.begin(), second.end());
  CHECK(draw(Random(5, 9), 8) == expected);
}

TEST_CASE("random: seed and stream are 64 bits each") {
  const auto base = draw(Random(1, 1), 4);
  CHECK(draw(Random(1, 1), 4) == base);
  CHECK(draw(Random(1ULL + (1ULL << 32U), 1), 4) != base);
  CHECK(draw(Random(1, 1ULL + (1ULL << 32U)), 4) != base);
}

TEST_CASE("random: a position can be saved and restored, also beyond 32 bits") {
  Random random(3);
  (void)draw(random, 5);
  (void)random.normal();
  (void)random.permutation(7);
  const std::uint64_t position = random.position();
  const auto ahead = draw(random, 10);
  Random other(3);
  other.seek(position);
  CHECK(draw(other, 10) == ahead);
  other.seek(1ULL << 40U);
  CHECK(other.bits() == philox({0, 1U << 6U, 0, 0}, {3, 0})[0]);
}

TEST_CASE("random: uniform numbers lie in [0, 1) and spread evenly") {
  Random random(11);
  constexpr int kCount = 40000;
  double sum = 0;
  std::array<int, 10> bins = {};
  for (int i = 0; i < kCount; ++i) {
    const float x = random.uniform();
    REQUIRE(x >= 0.0F);
    REQUIRE(x < 1.0F);
    sum += static_cast<double>(x);
    ++bins[static_cast<std::size_t>(x * 10)];
  }
  CHECK(std::abs(sum / kCount - 0.5) < 0.01);
  for (const int bin : bins) CHECK(std::abs(bin - kCount / 10) < 6 * 60);  // 6 standard deviations
  for (int i = 0; i < 100; ++i) CHECK(std::abs(random.uniform(-0.5F, 0.5F)) <= 0.5F);
}

TEST_CASE("random: normal numbers have mean 0, variance 1 and the tails of a normal distribution") {
  Random random(12);
  constexpr int kCount = 40000;
  double sum = 0;
  double squares = 0;
  int beyond_two = 0;
  for (int i = 0; i < kCount; ++i) {
    const auto x = static_cast<double>(random.normal());
    REQUIRE(std::isfinite(x));
    sum += x;
    squares += x * x;
    beyond_two += std::abs(x) > 2 ? 1 : 0;
  }
  CHECK(std::abs(sum / kCount) < 0.03);
  CHECK(std::abs(squares / kCount - 1) < 0.05);
  CHECK(std::abs(beyond_two - 0.0455 * kCount) < 6 * 42);
}

TEST_CASE("random: below is without bias, up to the largest bound") {
  Random random(13);
  std::array<int, 3> bins = {};
  for (int i = 0; i < 30000; ++i) ++bins[random.below(3)];
  for (const int bin : bins) CHECK(std::abs(bin - 10000) < 6 * 82);
  for (int i = 0; i < 100; ++i) CHECK(random.below(1) == 0);
  // two thirds of 2^32: without rejection the lower half of the range would be twice as likely
  constexpr std::uint32_t kBound = 0xAAAAAAABU;
  int low = 0;
  for (int i = 0; i < 30000; ++i) low += random.below(kBound) < kBound / 2 ? 1 : 0;
  CHECK(std::abs(low - 15000) < 6 * 87);
}

TEST_CASE("random: a permutation holds every number once, and all orders occur") {
  Random random(14);
  auto order = random.permutation(100);
  std::ranges::sort(order);
  std::vector<std::uint32_t> all(100);
  std::iota(all.begin(), all.end(), 0U);
  CHECK(order == all);
  CHECK(random.permutation(0).empty());
  std::array<int, 27> seen = {};
  for (int i = 0; i < 6000; ++i) {
    const auto p = random.permutation(3);
    ++seen[p[0] * 9 + p[1] * 3 + p[2]];
  }
  int orders = 0;
  for (const int count : seen) {
    if (count == 0) continue;
    ++orders;
    CHECK(std::abs(count - 1000) < 6 * 29);
  }
  CHECK(orders == 6);
}

}  // namespace random_test
