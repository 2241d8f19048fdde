// Compiled with AVX512-BF16: called only where the processor has it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <immintrin.h>

#include "engine/backend/cpu/bf16_engine.h"
#include "engine/backend/cpu/row_pointers.h"

namespace preamble::cpu {
namespace {

/// kRows rows and two packed groups of columns: 24 sums and two vectors of B fill the registers.
template <int kRows>
void rows_of(const Bf16Panel& p, std::int64_t first) {
  constexpr std::int64_t kGroupBytes = 2 * Bf16Panel::kPacked * static_cast<std::int64_t>(sizeof(BFloat16));
  for (std::int64_t j = 0; j < p.columns; j += Bf16Panel::kColumns) {
    const auto* b = reinterpret_cast<const std::byte*>(p.packed + j * p.column());
    const std::int64_t right = Bf16Panel::kPacked * p.column() * static_cast<std::int64_t>(sizeof(BFloat16));
    RowPointers<kRows> a(p.a + first * p.lda, p.lda * static_cast<std::int64_t>(sizeof(BFloat16)));
    float* c = p.c + first * p.ldc + j;
    __m512 sums[kRows][2];
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      sums[r][0] = p.adds ? _mm512_loadu_ps(c + r * p.ldc) : _mm512_setzero_ps();
      sums[r][1] = p.adds ? _mm512_loadu_ps(c + r * p.ldc + Bf16Panel::kPacked) : _mm512_setzero_ps();
    }
    for (std::int64_t k = 0; k < p.k; k += 2) {
      const auto b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b));
      const auto b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + right));
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        int pair;
        std::memcpy(&pair, a[r], sizeof pair);
        const auto both = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
        sums[r][0] = _mm512_dpbf16_ps(sums[r][0], both, b0);
        sums[r][1] = _mm512_dpbf16_ps(sums[r][1], both, b1);
      }
      a.advance(2 * sizeof(BFloat16));
      b += kGroupBytes;
    }
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      _mm512_storeu_ps(c + r * p.ldc, sums[r][0]);
      _mm512_storeu_ps(c + r * p.ldc + Bf16Panel::kPacked, sums[r][1]);
    }
  }
}

/// Most of k that is multiplied before sums are stored: so much of 12 rows stays in the first cache while they meet all columns.
constexpr std::int64_t kPart = 1024;

/// Whether rows of A would drive each other out of the first cache: their lines meet in one set.
bool rows_collide(const Bf16Panel& p) {
  constexpr std::int64_t kSets = 4096;  // bytes after which sets are the same again
  return p.rows > 8 && p.lda * static_cast<std::int64_t>(sizeof(BFloat16)) % kSets == 0;
}

void product_of_part(const Bf16Panel& p) {
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

/// The same product of rows that are copied next to each other.
void product_of_copies(const Bf16Panel& p) {
  constexpr std::int64_t kStride = kPart + 32, kRows = 12;
  alignas(64) BFloat16 rows[kRows * kStride];
  for (std::int64_t first = 0; first < p.rows; first += kRows) {
    Bf16Panel copied = p;
    copied.rows = std::min(kRows, p.rows - first);
    for (std::int64_t r = 0; r < copied.rows; ++r) std::copy_n(p.a + (first + r) * p.lda, p.k, rows + r * kStride);
    copied.a = static_cast<const BFloat16*>(rows);
    copied.lda = kStride;
    copied.c = p.c + first * p.ldc;
    product_of_part(copied);
  }
}

}  // namespace

void bf16_product_avx512(const Bf16Panel& p) {
  std::int64_t first = 0;
  // at least once: without a k sums are zeros
  do {
    Bf16Panel part = p;
    part.a = p.a + first;
    part.packed = p.packed + first * Bf16Panel::kPacked;
    part.k = std::min(kPart, p.k - first);
    part.depth = p.column();
    part.adds = p.adds || first > 0;
    if (rows_collide(part)) {
      product_of_copies(part);
    } else {
      product_of_part(part);
    }
    first += kPart;
  } while (first < p.k);
}

}  // namespace preamble::cpu
