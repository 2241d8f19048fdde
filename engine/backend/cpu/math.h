// Functions of one number for use inside `omp simd` loops. For float they are branch-free polynomials that vectorise, with
// relative errors below 2.5e-7; for double they are the exact functions of the standard library.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace preamble::PREAMBLE_ISA {

/// eˣ = 2ⁿ eʳ with |r| <= ln 2 / 2. Overflows to infinity, underflows through denormals to 0; NaN stays NaN.
[[nodiscard, gnu::always_inline]] inline float exp_of(float x) noexcept {
  constexpr float kLog2e = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // few bits: n times this is exact
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
  x = x < -104.0F ? -104.0F : x;
  x = x > 89.0F ? 89.0F : x;
  const float shifted = x * kLog2e + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.38131424e-3F;
  p = p * r + 8.36941879e-3F;
  p = p * r + 4.1668456e-2F;
  p = p * r + 0.166665152F;
  p = p * r + 0.5F;
  p = (p * r) * r + r + 1.0F;
  // 2ⁿ in two factors, as n goes from -150 to 128
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  const std::int32_t half = exponent >> 1;
  return p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((exponent - half + 127) << 23);
}
[[nodiscard, gnu::always_inline]] inline double exp_of(double x) noexcept { return std::exp(x); }

/// 1 / (1 + e⁻ˣ)
template <class T>
[[nodiscard, gnu::always_inline]] inline T sigmoid_of(T x) noexcept {
  return T(1) / (T(1) + exp_of(-x));
}

/// tanh x: x (1 + x² P(x²)) near 0, else 1 - 2 / (e²ˣ + 1)
[[nodiscard, gnu::always_inline]] inline float tanh_of(float x) noexcept {
  const float t = std::fabs(x);
  const float s = x * x;
  float p = -5.70499059e-3F;
  p = p * s + 2.06390899e-2F;
  p = p * s - 5.37397154e-2F;
  p = p * s + 0.133314416F;
  p = p * s - 0.333332807F;
  const float near = (p * s) * t + t;
  const float far = 1.0F - 2.0F / (exp_of(2.0F * t) + 1.0F);
  return std::copysign(t < 0.625F ? near : far, x);
}
[[nodiscard, gnu::always_inline]] inline double tanh_of(double x) noexcept { return std::tanh(x); }

/// erf x: x (1 + P(x²)) near 0, else 1 - exp(x Q(x))
[[nodiscard, gnu::always_inline]] inline float erf_of(float x) noexcept {
  const float t = std::fabs(x);
  const float s = x * x;
  float p = -6.09048235e-4F;
  p = p * s + 5.0119902e-3F;
  p = p * s - 2.67789308e-2F;
  p = p * s + 0.112821415F;
  p = p * s - 0.376125246F;
  p = p * s + 0.128379151F;
  const float near = p * t + t;
  const float u = t > 4.0F ? 4.0F : t;  // erf 4 rounds to 1
  float q = 2.14595886e-4F;
  q = q * u - 3.21998214e-3F;
  q = q * u + 2.29060501e-2F;
  q = q * u - 0.105286881F;
  q = q * u - 0.635699332F;
  q = q * u - 1.12852001F;
  const float far = 1.0F - exp_of(q * u);
  return std::copysign(t < 0.9F ? near : far, x);
}
[[nodiscard, gnu::always_inline]] inline double erf_of(double x) noexcept { return std::erf(x); }

/// Σ x[i] in double.
template <class T>
[[nodiscard]] inline double sum_of(const T* x, std::int64_t n) noexcept {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  return sum;
}
/// Σ x[i] y[i] in double.
template <class T>
[[nodiscard]] inline double dot_of(const T* x, const T* y, std::int64_t n) noexcept {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return sum;
}

}  // namespace preamble::PREAMBLE_ISA
