#include "bench/fma_peak.h"

#include <cstdint>

#include "bench/peak_rate.h"

#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <cmath>
#endif

namespace preamble::bench {
namespace {

// two units with a latency of four cycles need eight chains; ten leave room for rename hiccups and still fit 16 registers
constexpr int kChains = 10;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) double loop_512(std::int64_t rounds, float* sink) {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_set1_ps(*sink);
  const __m512 factor = _mm512_set1_ps(0.999F);
  const __m512 term = _mm512_set1_ps(0.001F);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 10
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], factor, term);
  }
  for (const auto& sum : sums) *sink += _mm512_cvtss_f32(sum);
  return 2.0 * 16 * kChains * static_cast<double>(rounds);
}

__attribute__((target("avx2,fma"))) double loop_256(std::int64_t rounds, float* sink) {
  __m256 sums[kChains];
  for (auto& sum : sums) sum = _mm256_set1_ps(*sink);
  const __m256 factor = _mm256_set1_ps(0.999F);
  const __m256 term = _mm256_set1_ps(0.001F);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 10
    for (int i = 0; i < kChains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], factor, term);
  }
  for (const auto& sum : sums) *sink += _mm256_cvtss_f32(sum);
  return 2.0 * 8 * kChains * static_cast<double>(rounds);
}

/// Without FMA: a multiplication and an addition.
double loop_128(std::int64_t rounds, float* sink) {
  __m128 sums[kChains];
  for (auto& sum : sums) sum = _mm_set1_ps(*sink);
  const __m128 factor = _mm_set1_ps(0.999F);
  const __m128 term = _mm_set1_ps(0.001F);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 10
    for (int i = 0; i < kChains; ++i) sums[i] = _mm_add_ps(_mm_mul_ps(sums[i], factor), term);
  }
  for (const auto& sum : sums) *sink += _mm_cvtss_f32(sum);
  return 2.0 * 4 * kChains * static_cast<double>(rounds);
}

PeakLoop best_loop() {
  if (__builtin_cpu_supports("avx512f")) return loop_512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return loop_256;
  return loop_128;
}
#else
double loop_generic(std::int64_t rounds, float* sink) {
  constexpr int kLanes = 4 * kChains;
  float sums[kLanes];
  for (auto& sum : sums) sum = *sink;
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma omp simd
    for (int i = 0; i < kLanes; ++i) sums[i] = std::fma(sums[i], 0.999F, 0.001F);
  }
  for (const float sum : sums) *sink += sum;
  return 2.0 * kLanes * static_cast<double>(rounds);
}

PeakLoop best_loop() { return loop_generic; }
#endif

}  // namespace

double fma_peak(int threads, double seconds) { return peak_rate(best_loop(), threads, seconds); }

}  // namespace preamble::bench
