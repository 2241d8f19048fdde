// Activation functions and their slopes. Included by .cu files alone.
#pragma once

#include <cmath>

#include "engine/backend/cuda/octet.cuh"
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
    return __frcp_rn(1.0F + __expf(-x));
  }
}

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
  if constexpr (kind == ActivationKind::gelu) return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F));
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
    return 0.5F * (1.0F + erff(x * 0.70710678118654752F)) + x * 0.39894228040143268F * exp_of<T>(-0.5F * x * x);
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

/// Calls `body.template operator()<kind>()`. One branch for eight numbers, the same for all threads.
template <class Body>
__device__ inline void with_kind(ActivationKind kind, const Body& body) {
  switch (kind) {
    case ActivationKind::relu: return body.template operator()<ActivationKind::relu>();
    case ActivationKind::gelu: return body.template operator()<ActivationKind::gelu>();
    case ActivationKind::gelu_tanh: return body.template operator()<ActivationKind::gelu_tanh>();
    case ActivationKind::silu: return body.template operator()<ActivationKind::silu>();
    case ActivationKind::tanh: return body.template operator()<ActivationKind::tanh>();
    case ActivationKind::sigmoid: return body.template operator()<ActivationKind::sigmoid>();
    case ActivationKind::quick_gelu: return body.template operator()<ActivationKind::quick_gelu>();
    case ActivationKind::clipped_gelu: return body.template operator()<ActivationKind::clipped_gelu>();
    case ActivationKind::mish: return body.template operator()<ActivationKind::mish>();
  }
  __trap();  // a kind that is missing here ends in an error, not in wrong numbers
}

/// x = f(x)
template <class T>
__device__ inline void activate_octet(ActivationKind kind, float (&x)[kOctet]) {
  with_kind(kind, [&]<ActivationKind k>() {
#pragma unroll
    for (float& v : x) v = activate<k, T>(v);
  });
}

/// x = f'(x)
template <class T>
__device__ inline void slope_octet(ActivationKind kind, float (&x)[kOctet]) {
  with_kind(kind, [&]<ActivationKind k>() {
#pragma unroll
    for (float& v : x) v = activate_slope<k, T>(v);
  });
}

/// x = f'(argument), where x holds what the gradient of f reads: f(argument) for tanh and sigmoid, else the argument.
template <class T>
__device__ inline void kept_slope_octet(ActivationKind kind, float (&x)[kOctet]) {
  if (kind == ActivationKind::tanh) {
#pragma unroll
    for (float& v : x) v = 1.0F - v * v;
  } else if (kind == ActivationKind::sigmoid) {
#pragma unroll
    for (float& v : x) v = v * (1.0F - v);
  } else {
    slope_octet<T>(kind, x);
  }
}

/// Bit i says whether x[i] > 0: a byte of the mask of relu.
[[nodiscard]] __device__ inline std::uint8_t positive_bits(const float (&x)[kOctet]) {
  std::uint32_t bits = 0;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) bits |= x[i] > 0.0F ? 1U << i : 0U;
  return static_cast<std::uint8_t>(bits);
}

}  // namespace preamble::cuda
