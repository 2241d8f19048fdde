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
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < half; ++lane) largest[lane] = largest[lane] < largest[lane + half] ? largest[lane + half] : largest[lane];
  }
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

/// The same where the row has room for `room` >= n numbers: those behind the n become zero. No number is left for a loop that takes them one by
/// one.
inline float exp_padded_row(float* x, std::int64_t n, std::int64_t room, float shift) noexcept {
  const std::int64_t whole = std::min((n + 15) / 16 * 16, room);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < whole; ++i) {
    const float e = exp_of(x[i] - shift);
    x[i] = i < n ? e : 0.0F;
    sum += i < n ? e : 0.0F;
  }
  std::fill(x + whole, x + room, 0.0F);
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

/// Biases by relative position of the own keys of a block, as one row of numbers: those of each query begin somewhere in it, so that a row of
/// scores is one loop, not one for each of the ranges of `for_distances`.
class BlockBiases {
 public:
  /// `head`: the first of the block.
  BlockBiases(const AttentionProblem<float>& problem, const QueryBlock& b, std::int64_t head) noexcept : problem_(problem), b_(b), head_(head) {
    const KeyPositions keys = problem.own_positions(b);
    if (problem.relative.bias == nullptr || keys.listed != nullptr || b.queries < b.rows) return;
    const auto [first, last] = std::minmax_element(b.position, b.position + b.rows);
    last_ = *last;
    const std::int64_t columns = b.stride - b.keys.prefixes, count = columns + *last - *first;
    if (count > kMost) return;
    const float* biases = problem.relative.of(head);
    for_distances(keys, last_, count, problem.relative.reach, [&](std::int64_t begin, std::int64_t end, std::int64_t at, std::int64_t step) {
      for (std::int64_t j = begin; j < end; ++j) row_[j] = biases[at + (j - begin) * step];
    });
    columns_ = columns;
  }

  /// Adds to row `i` of the scores. What keys get that the row does not see means nothing.
  void add(std::int64_t i, float* scores) const noexcept {
    if (columns_ == 0) {
      add_biases(problem_, b_, i, head_ + b_.head(i), scores);
      return;
    }
    if (problem_.options.prefix_has_positions) problem_.relative.add(head_, {nullptr, -b_.keys.prefixes}, b_.position[i], b_.keys.prefixes, scores);
    const float* from = row_ + (last_ - b_.position[i]);
    float* to = scores + b_.keys.prefixes;
#pragma omp simd
    for (std::int64_t j = 0; j < columns_; ++j) to[j] += from[j];
  }

 private:
  static constexpr std::int64_t kMost = 2048;
  const AttentionProblem<float>& problem_;
  const QueryBlock& b_;
  std::int64_t head_, last_ = 0;
  std::int64_t columns_ = 0;  ///< of a row of scores; 0: biases are added range by range
  float row_[kMost];
};

/// Scores [rows, width] with biases or position terms. Those of keys that a row does not see mean nothing. `terms`: scratch.
template <class T>
void scores(const AttentionProblem<T>& problem, const QueryBlock& b, std::int64_t head, T* s, T* terms) {
  times_keys(problem, b, head, problem.scale, problem.q, problem.prefix_k, problem.k, s);
  if (problem.disentangled && b.keys.count > 0) DisentangledTerms<T>(problem, b, head, terms).add(s);
  for (std::int64_t i = 0; i < b.rows; ++i) add_biases(problem, b, i, head, s + i * b.stride);
}

}  // namespace preamble::PREAMBLE_ISA
