// Scores of a block of queries and what is made of them.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/attention_tile.h"
#include "engine/backend/cpu/disentangled_terms.h"
#include "engine/backend/cpu/math.h"
#include "engine/backend/cpu/small_product.h"

namespace preamble::PREAMBLE_ISA {

/// Largest of n >= 1 numbers.
template <class T>
[[nodiscard]] inline T max_of(const T* x, std::int64_t n) noexcept {
  // GCC turns no float maximum into a vector reduction unless NaNs are given up: keep the lanes apart by hand
  constexpr std::int64_t kLanes = 32;
  T largest[kLanes];
  std::fill_n(largest, kLanes, x[0]);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < kLanes; ++lane) largest[lane] = largest[lane] < x[i + lane] ? x[i + lane] : largest[lane];
  }
  for (; i < n; ++i) largest[0] = largest[0] < x[i] ? x[i] : largest[0];
  for (std::int64_t lane = 1; lane < kLanes; ++lane) largest[0] = largest[0] < largest[lane] ? largest[lane] : largest[0];
  return largest[0];
}

/// x = exp(x - shift); returns the sum.
template <class T>
inline T exp_row(T* x, std::int64_t n, T shift) noexcept {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    x[i] = exp_of(x[i] - shift);
    sum += x[i];
  }
  return sum;
}

/// c [rows, width] = alpha · x [rows, dim] · [prefix; own]ᵀ, one head of each matrix.
template <class T>
void times_keys(const AttentionProblem<T>& problem, const QueryBlock& b, std::int64_t head, T alpha, const View& x, const View& prefix,
                const View& own, T* c) {
  cpu::Gemm<T> p;
  p.m = b.rows, p.k = problem.dim;
  p.a = x.as<const T>() + b.first * x.width + head * problem.dim, p.lda = x.width;
  p.transpose_b = true;
  p.ldb = own.width, p.ldc = b.stride, p.alpha = alpha;
  const std::int64_t column = head / problem.group * problem.dim;
  if (b.keys.prefixes > 0) {
    p.n = b.keys.prefixes, p.b = prefix.as<const T>() + b.keys.prefix_first * own.width + column, p.c = c;
    product(p);
  }
  if (b.keys.count > 0) {
    p.n = b.keys.count, p.b = own.as<const T>() + b.keys.first * own.width + column, p.c = c + b.keys.prefixes;
    product(p);
  }
}

/// y [rows, dim] = alpha · w [rows, width] · [prefix; own], one head of each matrix.
template <class T>
void times_rows(const AttentionProblem<T>& problem, const QueryBlock& b, std::int64_t head, T alpha, const T* w, const View& prefix,
                const View& own, const View& y) {
  cpu::Gemm<T> p;
  p.m = b.rows, p.n = problem.dim;
  p.lda = b.stride, p.ldb = own.width, p.ldc = y.width, p.alpha = alpha;
  p.c = y.as<T>() + b.first * y.width + head * problem.dim;
  const std::int64_t column = head / problem.group * problem.dim;
  if (b.keys.prefixes > 0) {
    p.k = b.keys.prefixes, p.a = w, p.b = prefix.as<const T>() + b.keys.prefix_first * own.width + column;
    product(p);
    p.beta = 1;
  }
  if (b.keys.count > 0) {
    p.k = b.keys.count, p.a = w + b.keys.prefixes, p.b = own.as<const T>() + b.keys.first * own.width + column;
    product(p);
    p.beta = 1;
  }
  if (p.beta == T(0)) {
    for (std::int64_t i = 0; i < b.rows; ++i) std::fill_n(p.c + i * y.width, problem.dim, T(0));
  }
}

/// Multiplies a row of scores, or of their gradients, by the scale of the options.
template <class T>
void scale_row(const AttentionProblem<T>& problem, const QueryBlock& b, T* row) noexcept {
  if (problem.scale == T(1)) return;
  const T scale = problem.scale;
#pragma omp simd
  for (std::int64_t j = 0; j < b.stride; ++j) row[j] *= scale;
}

/// Adds biases by relative position to row `i` of the scores of a head.
template <class T>
void add_biases(const AttentionProblem<T>& problem, const QueryBlock& b, std::int64_t i, std::int64_t head, T* row) {
  if (problem.relative.bias == nullptr) return;
  if (problem.options.prefix_has_positions) problem.relative.add(head, {nullptr, -b.keys.prefixes}, b.position[i], b.keys.prefixes, row);
  problem.relative.add(head, problem.own_positions(b), b.position[i], b.visible[i], row + b.keys.prefixes);
}

/// Scores [rows, width] with biases or position terms. Those of keys that a row does not see mean nothing. `terms`: scratch.
template <class T>
void scores(const AttentionProblem<T>& problem, const QueryBlock& b, std::int64_t head, T* s, T* terms) {
  times_keys(problem, b, head, problem.scale, problem.q, problem.prefix_k, problem.k, s);
  if (problem.disentangled && b.keys.count > 0) DisentangledTerms<T>(problem, b, head, terms).add(s);
  for (std::int64_t i = 0; i < b.rows; ++i) add_biases(problem, b, i, head, s + i * b.stride);
}

}  // namespace preamble::PREAMBLE_ISA
