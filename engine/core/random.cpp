#include "engine/core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace preamble {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ULL * c[0];
    const std::uint64_t b = 0xCD9E8D57ULL * c[2];
    c = {static_cast<std::uint32_t>(b >> 32U) ^ c[1] ^ k[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32U) ^ c[3] ^ k[1], static_cast<std::uint32_t>(a)};
    k = {k[0] + 0x9E3779B9U, k[1] + 0xBB67AE85U};
  }
  return c;
}

std::uint32_t Random::bits() noexcept {
  const std::uint64_t block = position_ / 4;
  const auto words = philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32U),
                             static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32U)},
                            {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32U)});
  return words[position_++ % 4];
}

float Random::uniform() noexcept { return static_cast<float>(bits() >> 8U) * 0x1.0p-24F; }

float Random::normal() noexcept {
  const double u = (static_cast<double>(bits()) + 1.0) * 0x1.0p-32;
  const double v = static_cast<double>(bits()) * 0x1.0p-32;
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

std::uint32_t Random::below(std::uint32_t n) noexcept {
  const std::uint32_t reject = (0U - n) % n;
  for (;;) {
    const std::uint32_t x = bits();
    if (x >= reject) return x % n;
  }
}

std::vector<std::uint32_t> Random::permutation(std::uint32_t n) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0U);
  for (std::uint32_t i = n; i > 1; --i) std::swap(order[i - 1], order[below(i)]);
  return order;
}

}  // namespace preamble
