// The loss of one row of logits, for all cross entropies.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cmath>

#include "engine/backend/cpu/math.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
[[nodiscard]] inline T largest_of(const T* x, std::int64_t n) noexcept {
  T largest = x[0];
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/// Σ exp(x[i] - shift), summed in blocks, the blocks in double. With `keep`, e[i] becomes the i-th term; e may be x.
template <bool keep, class T>
[[nodiscard]] inline double sum_of_exponentials(const T* x, T shift, T* e, std::int64_t n) noexcept {
  constexpr std::int64_t kBlock = 1024;
  double sum = 0;
  for (std::int64_t first = 0; first < n; first += kBlock) {
    const std::int64_t end = first + kBlock < n ? first + kBlock : n;
    T part = 0;
#pragma omp simd reduction(+ : part)
    for (std::int64_t i = first; i < end; ++i) {
      const T term = exp_of(x[i] - shift);
      if constexpr (keep) e[i] = term;
      part += term;
    }
    sum += static_cast<double>(part);
  }
  return sum;
}

/// Natural logarithm of Σ exp(logits), negative log likelihood of the label, and what both add to the loss.
struct RowLoss {
  double lse, nll, z_loss;
  [[nodiscard]] double term() const noexcept { return nll + z_loss * lse * lse; }
};

template <class T>
[[nodiscard]] inline RowLoss row_loss(const T* logits, std::int32_t label, double z_loss, std::int64_t n) noexcept {
  const T shift = largest_of(logits, n);
  const double log_sum = std::log(sum_of_exponentials<false, T>(logits, shift, nullptr, n));
  return {static_cast<double>(shift) + log_sum, log_sum + (static_cast<double>(shift) - static_cast<double>(logits[label])), z_loss};
}

/// As `row_loss`, and d[v] = weight (p[v] (1 + 2 z_loss lse) - [v = label]); d may be logits.
template <class T>
inline RowLoss row_loss_and_gradient(const T* logits, std::int32_t label, double z_loss, double weight, T* d, std::int64_t n) noexcept {
  const T shift = largest_of(logits, n);
  const double of_label = static_cast<double>(logits[label]);
  const double sum = sum_of_exponentials<true, T>(logits, shift, d, n);
  const double log_sum = std::log(sum);
  const double lse = static_cast<double>(shift) + log_sum;
  const T factor = static_cast<T>(weight * (1 + 2 * z_loss * lse) / sum);
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) d[i] *= factor;
  d[label] -= static_cast<T>(weight);
  return {lse, log_sum + (static_cast<double>(shift) - of_label), z_loss};
}

/// Rows of logits that are worth a task.
[[nodiscard]] inline std::int64_t rows_a_task(std::int64_t vocabulary) noexcept {
  const std::int64_t rows = (1 << 14) / (vocabulary > 0 ? vocabulary : 1);
  return rows > 0 ? rows : 1;
}

}  // namespace preamble::PREAMBLE_ISA
