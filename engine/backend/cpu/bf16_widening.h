// Products of bf16 numbers on processors that have no instructions for them: operands are widened to float32, a part at a time.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "engine/backend/cpu/bf16_engine.h"
#include "engine/core/widen.h"

namespace preamble::PREAMBLE_ISA {

/// What is multiplied at a time: a block of rows and columns whose sums fill the registers, and a part of k of which the widened rows of a panel stay in the
/// first-level cache.
struct Widening {
#if defined(__AVX512F__)
  static constexpr int kBytes = 64, kRows = 12, kVectors = 2;
#elif defined(__AVX__)
  static constexpr int kBytes = 32, kRows = 6, kVectors = 2;
#else
  static constexpr int kBytes = 16, kRows = 2, kVectors = 4;
#endif
  static constexpr std::int64_t kLanes = kBytes / sizeof(float), kColumns = kLanes * kVectors, kDepth = 256;
  using Vector = float __attribute__((vector_size(kBytes)));
  using Words = std::uint32_t __attribute__((vector_size(kBytes)));

  alignas(64) float rows[cpu::Bf16Panel::kMostRows][kDepth];
  alignas(64) float columns[kDepth][kColumns];

  /// kColumns columns from column j, `count` of k from k.
  void widen_columns(const cpu::Bf16Panel& p, std::int64_t j, std::int64_t k, std::int64_t count) noexcept {
    constexpr std::int64_t kPacked = cpu::Bf16Panel::kPacked;
    for (std::int64_t c = 0; c < kColumns; c += kLanes) {
      const std::int64_t column = j + c;
      const BFloat16* packed = p.packed + column / kPacked * kPacked * p.column() + k * kPacked + 2 * (column % kPacked);
      for (std::int64_t i = 0; i < count; i += 2) {
        Words pairs;
        std::memcpy(&pairs, packed + i * kPacked, sizeof pairs);
        const Words even = pairs << 16U, odd = pairs & 0xFFFF0000U;
        std::memcpy(&columns[i][c], &even, sizeof even);
        std::memcpy(&columns[i + 1][c], &odd, sizeof odd);
      }
    }
  }

  [[gnu::always_inline]] static Vector load(const float* from) noexcept {
    Vector v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }

  /// The sums of kRows rows, of which `there` are there; the others repeat the last one.
  [[gnu::noinline]] void multiply(const cpu::Bf16Panel& p, std::int64_t first, std::int64_t there, std::int64_t j, std::int64_t count, bool adds) const noexcept {
    float nowhere[kColumns];
    const float* x[kRows];
    float* c[kRows];
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      x[r] = rows[first + std::min<std::int64_t>(r, there - 1)];
      c[r] = r < there ? p.c + (first + r) * p.ldc + j : nowhere;
    }
    Vector sums[kRows][kVectors];
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = adds && r < there ? load(c[r] + v * kLanes) : Vector{};
    }
    for (std::int64_t k = 0; k < count; ++k) {
      Vector y[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) y[v] = load(columns[k] + v * kLanes);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sums[r][v] += x[r][k] * y[v];
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const Vector sum = sums[r][v];
        std::memcpy(c[r] + v * kLanes, &sum, sizeof sum);
      }
    }
  }
};

/// What an engine computes. Sums of a result go through k in order.
inline void widening_product(const cpu::Bf16Panel& p) noexcept {
  Widening w;
  std::int64_t k = 0;
  // at least once: without a k sums are zeros
  do {
    const std::int64_t count = std::min(Widening::kDepth, p.k - k);
    for (std::int64_t r = 0; r < p.rows; ++r) widen_row(p.a + r * p.lda + k, w.rows[r], count);
    for (std::int64_t j = 0; j < p.columns; j += Widening::kColumns) {
      w.widen_columns(p, j, k, count);
      for (std::int64_t first = 0; first < p.rows; first += Widening::kRows) {
        w.multiply(p, first, std::min<std::int64_t>(Widening::kRows, p.rows - first), j, count, p.adds || k > 0);
      }
    }
    k += Widening::kDepth;
  } while (k < p.k);
}

}  // namespace preamble::PREAMBLE_ISA
