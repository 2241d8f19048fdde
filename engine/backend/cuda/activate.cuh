// Activation functions and their slopes, eight numbers at a time. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/activation_functions.cuh"
#include "engine/backend/cuda/octet.cuh"
#include "engine/ops/activation.h"

namespace preamble::cuda {

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
