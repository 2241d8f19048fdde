#include "bench/bf16_peak.h"

#include <cstdint>
#include <cstring>

#include "bench/peak_rate.h"
#include "engine/core/random.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace preamble::bench {
namespace {

#if defined(__x86_64__)

/// A kilobyte of bf16 numbers at random, of a tile or of 16 vectors.
struct alignas(64) Numbers {
  explicit Numbers(std::uint64_t seed) {
    Random random(seed);
    for (auto& value : values) {
      const float x = random.normal();
      std::uint32_t bits;
      std::memcpy(&bits, &x, sizeof bits);
      value = static_cast<std::uint16_t>(bits >> 16U);
    }
  }
  std::uint16_t values[512];
};

// two units with a latency of six cycles need twelve chains; Zen 4 reaches its rate with more alone
constexpr int kDotChains = 24;

__attribute__((target("avx512f,avx512bf16"))) double loop_avx512(std::int64_t rounds, float* sink) {
  const Numbers a(1), b(2);
  const auto x = reinterpret_cast<__m512bh>(_mm512_load_si512(a.values)), y = reinterpret_cast<__m512bh>(_mm512_load_si512(b.values));
  __m512 sums[kDotChains];
  for (auto& sum : sums) sum = _mm512_set1_ps(*sink);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (int i = 0; i < kDotChains; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], x, y);
  }
  for (const auto& sum : sums) *sink += _mm512_cvtss_f32(sum);
  return 64.0 * kDotChains * static_cast<double>(rounds);
}

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

__attribute__((target("amx-tile,amx-bf16"))) double loop_amx(std::int64_t rounds, float* sink) {
  const TileConfig config;
  // the intrinsic of g++ 12 says that it reads 8 bytes of the 64
  asm volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
  const Numbers numbers[4] = {Numbers(1), Numbers(2), Numbers(3), Numbers(4)};
  _tile_loadd(4, numbers[0].values, 64);
  _tile_loadd(5, numbers[1].values, 64);
  _tile_loadd(6, numbers[2].values, 64);
  _tile_loadd(7, numbers[3].values, 64);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t round = 0; round < rounds; ++round) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  alignas(64) float sums[256];
  _tile_stored(0, sums, 64);
  asm volatile("" : : "r"(sums) : "memory");
  _tile_release();
  *sink += sums[0];
  return 4.0 * 2 * 16 * 16 * 32 * static_cast<double>(rounds);
}

#endif

}  // namespace

double bf16_peak([[maybe_unused]] std::string_view engine, [[maybe_unused]] int threads, [[maybe_unused]] double seconds) {
#if defined(__x86_64__)
  if (engine == "amx_bf16") return peak_rate(loop_amx, threads, seconds);
  if (engine == "avx512_bf16") return peak_rate(loop_avx512, threads, seconds);
#endif
  return 0;
}

}  // namespace preamble::bench
