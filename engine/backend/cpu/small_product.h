// Matrix products that may have a handful of rows.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/gemm.h"

namespace preamble::PREAMBLE_ISA {

/// Σ x[i] y[i]
template <class T>
[[nodiscard]] inline T dot(const T* x, const T* y, std::int64_t n) noexcept {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

/// y += a x
template <class T>
inline void add_scaled(T a, const T* x, T* y, std::int64_t n) noexcept {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

/// As cpu::gemm, with plain loops where packing the operands would cost more than the product: a decoding step has one
/// query. beta is 0 or 1.
template <class T>
void product(const cpu::Gemm<T>& p) {
  constexpr std::int64_t kSmall = 4;
  if ((p.transpose_a ? p.k : p.m) > kSmall) {
    cpu::gemm(p);
    return;
  }
  for (std::int64_t i = 0; i < p.m; ++i) {
    T* c = p.c + i * p.ldc;
    if (p.beta == T(0)) std::fill_n(c, p.n, T(0));
    if (p.transpose_b) {
      for (std::int64_t j = 0; j < p.n; ++j) c[j] += p.alpha * dot(p.a + i * p.lda, p.b + j * p.ldb, p.k);
    } else {
      for (std::int64_t k = 0; k < p.k; ++k) {
        add_scaled(p.alpha * (p.transpose_a ? p.a[k * p.lda + i] : p.a[i * p.lda + k]), p.b + k * p.ldb, c, p.n);
      }
    }
  }
}

}  // namespace preamble::PREAMBLE_ISA
