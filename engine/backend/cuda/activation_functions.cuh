// Activation functions and their slopes, of one number. Included by .cu files alone.
#pragma once

#include <cmath>

#include "engine/ops/activation.h"

namespace preamble::cuda {

/// eˣ: for bf16 results the hardware's (relative error 2⁻²¹ for moderate x), else exact to 2 ulp.
template <class T>
[[nodiscard]] __device__ inline float exp_of(float x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return expf(x);
  } else {
    return __expf(x);
  }
}

/// 1 / (1 + e⁻ˣ)
template <class T>
[[nodiscard]] __device__ inline float sigmoid_of(float x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return 1.0F / (1.0F + expf(-x));
  } else {
    return __fdividef(1.0F, 1.0F + __expf(-x));
  }
}

/// Φ(x), the share of a normal distribution below x, and e^(-x²/2).
template <class T>
struct Normal {
  float below, bell;

  __device__ explicit Normal(float x) : bell(exp_of<T>(-0.5F * x * x)) {
    if constexpr (sizeof(T) == sizeof(float)) {
      below = 0.5F * (1.0F + erff(x * 0.70710678118654752F));
    } else {
      // Abramowitz and Stegun (1964), 7.1.26: to 8e-8, far below the distance of two bf16 numbers
      const float t = __fdividef(1.0F, 1.0F + 0.3275911F * 0.70710678118654752F * fabsf(x));
      const float p = t * (0.254829592F + t * (-0.284496736F + t * (1.421413741F + t * (-1.453152027F + t * 1.061405429F))));
      const float tail = 0.5F * p * bell;
      below = x < 0.0F ? tail : 1.0F - tail;
    }
  }
};

/// 2√(2/π) (x + 0.044715 x³): gelu_tanh(x) = x σ of it, as (1 + tanh u) / 2 = σ(2u).
[[nodiscard]] __device__ inline float gelu_argument(float x) { return 1.5957691216057308F * x * (1.0F + 0.044715F * x * x); }

/// tanh(ln(1 + eˣ)) = p / (p + q) and q / (p + q), without overflow or cancellation.
template <class T>
struct TanhSoftplus {
  float value, rest;

  __device__ explicit TanhSoftplus(float x) {
    const float n = exp_of<T>(x < 0.0F ? x : -x);
    const float p = x < 0.0F ? n * (n + 2.0F) : 1.0F + 2.0F * n;
    const float q = x < 0.0F ? 2.0F : 2.0F * n * n;
    value = p / (p + q);
    rest = q / (p + q);
  }
};

/// The most that clipped_gelu gives.
inline constexpr float kGeluLimit = 10;

/// f(x) for a result of type T
template <ActivationKind kind, class T>
[[nodiscard]] __device__ inline float activate(float x) {
  if constexpr (kind == ActivationKind::relu) return x < 0.0F ? 0.0F : x;  // NaN stays NaN
  if constexpr (kind == ActivationKind::gelu) return x * Normal<T>(x).below;
  if constexpr (kind == ActivationKind::gelu_tanh) return x * sigmoid_of<T>(gelu_argument(x));
  if constexpr (kind == ActivationKind::silu) return x * sigmoid_of<T>(x);
  if constexpr (kind == ActivationKind::tanh) return tanhf(x);
  if constexpr (kind == ActivationKind::sigmoid) return sigmoid_of<T>(x);
  if constexpr (kind == ActivationKind::quick_gelu) return x * sigmoid_of<T>(1.702F * x);
  if constexpr (kind == ActivationKind::clipped_gelu) {
    const float y = activate<ActivationKind::gelu, T>(x);
    return y > kGeluLimit ? kGeluLimit : y;
  }
  if constexpr (kind == ActivationKind::mish) return x * TanhSoftplus<T>(x).value;
}

/// f'(x) from x
template <ActivationKind kind, class T>
[[nodiscard]] __device__ inline float activate_slope(float x) {
  if constexpr (kind == ActivationKind::relu) return x > 0.0F ? 1.0F : 0.0F;
  if constexpr (kind == ActivationKind::gelu) {
    const Normal<T> normal(x);
    return normal.below + x * 0.39894228040143268F * normal.bell;
  }
  if constexpr (kind == ActivationKind::gelu_tanh) {
    const float s = sigmoid_of<T>(gelu_argument(x));
    return s + x * s * (1.0F - s) * 1.5957691216057308F * (1.0F + 3.0F * 0.044715F * x * x);
  }
  if constexpr (kind == ActivationKind::silu) {
    const float s = sigmoid_of<T>(x);
    return s * (1.0F + x * (1.0F - s));
  }
  if constexpr (kind == ActivationKind::tanh) {
    const float y = tanhf(x);
    return 1.0F - y * y;
  }
  if constexpr (kind == ActivationKind::sigmoid) {
    const float y = sigmoid_of<T>(x);
    return y * (1.0F - y);
  }
  if constexpr (kind == ActivationKind::quick_gelu) {
    const float s = sigmoid_of<T>(1.702F * x);
    return s * (1.0F + 1.702F * x * (1.0F - s));
  }
  if constexpr (kind == ActivationKind::clipped_gelu) {
    const float slope = activate_slope<ActivationKind::gelu, T>(x);
    return activate<ActivationKind::gelu, T>(x) > kGeluLimit ? 0.0F : slope;
  }
  if constexpr (kind == ActivationKind::mish) {
    const TanhSoftplus<T> t(x);
    // (tanh u)' = (1 - tanh u)(1 + tanh u), and u' = σ(x)
    return t.value + x * t.rest * (1.0F + t.value) * sigmoid_of<T>(x);
  }
}

}  // namespace preamble::cuda
