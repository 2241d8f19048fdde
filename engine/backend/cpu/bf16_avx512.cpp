// Compiled with AVX512-BF16: called only where the processor has it.
#include <cstring>

#include <immintrin.h>

#include "engine/backend/cpu/bf16_engine.h"

namespace preamble::cpu {
namespace {

/// kRows rows and two packed groups of columns: 24 sums and two vectors of B fill the registers.
template <int kRows>
void rows_of(const Bf16Panel& p, std::int64_t first) {
  const BFloat16* a = p.a + first * p.lda;
  for (std::int64_t j = 0; j < p.columns; j += Bf16Panel::kColumns) {
    const BFloat16* left = p.packed + j * p.column();
    const BFloat16* right = left + Bf16Panel::kPacked * p.column();
    float* c = p.c + first * p.ldc + j;
    __m512 sums[kRows][2];
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      sums[r][0] = p.adds ? _mm512_loadu_ps(c + r * p.ldc) : _mm512_setzero_ps();
      sums[r][1] = p.adds ? _mm512_loadu_ps(c + r * p.ldc + Bf16Panel::kPacked) : _mm512_setzero_ps();
    }
    for (std::int64_t k = 0; k < p.k; k += 2) {
      const auto b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(left + k * Bf16Panel::kPacked));
      const auto b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(right + k * Bf16Panel::kPacked));
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        int pair;
        std::memcpy(&pair, a + r * p.lda + k, sizeof pair);
        const auto both = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
        sums[r][0] = _mm512_dpbf16_ps(sums[r][0], both, b0);
        sums[r][1] = _mm512_dpbf16_ps(sums[r][1], both, b1);
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      _mm512_storeu_ps(c + r * p.ldc, sums[r][0]);
      _mm512_storeu_ps(c + r * p.ldc + Bf16Panel::kPacked, sums[r][1]);
    }
  }
}

}  // namespace

void bf16_product_avx512(const Bf16Panel& p) {
  std::int64_t r = 0;
  for (; r + 12 <= p.rows; r += 12) rows_of<12>(p, r);
  if (r + 8 <= p.rows) {
    rows_of<8>(p, r);
    r += 8;
  }
  if (r + 4 <= p.rows) {
    rows_of<4>(p, r);
    r += 4;
  }
  for (; r < p.rows; ++r) rows_of<1>(p, r);
}

}  // namespace preamble::cpu
