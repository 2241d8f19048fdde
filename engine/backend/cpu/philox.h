// Random words as engine/core/random.h defines them, in a form that vectorises over counters.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstdint>

namespace preamble::PREAMBLE_ISA {

/// Four words of Philox 4x32-10 (Salmon et al. 2011).
struct PhiloxWords {
  std::uint32_t word[4];
};

[[gnu::always_inline]] inline PhiloxWords philox_words(PhiloxWords c, std::uint32_t k0, std::uint32_t k1) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ULL * c.word[0];
    const std::uint64_t b = 0xCD9E8D57ULL * c.word[2];
    c = {{static_cast<std::uint32_t>(b >> 32U) ^ c.word[1] ^ k0, static_cast<std::uint32_t>(b),
          static_cast<std::uint32_t>(a >> 32U) ^ c.word[3] ^ k1, static_cast<std::uint32_t>(a)}};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c;
}

}  // namespace preamble::PREAMBLE_ISA
