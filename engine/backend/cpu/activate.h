// Activations of rows, for the activation kernels and for epilogues of products.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include "engine/backend/cpu/math.h"
#include "engine/ops/activation.h"

namespace preamble::PREAMBLE_ISA {

/// √(2/π) (x + 0.044715 x³) doubled: gelu_tanh(x) = x σ(2u), as (1 + tanh u) / 2 = σ(2u).
template <class T>
[[nodiscard, gnu::always_inline]] inline T gelu_argument(T x) noexcept {
  return T(1.5957691216057308) * x * (T(1) + T(0.044715) * x * x);
}

/// tanh(ln(1 + eˣ)) = p / (p + q) and q / (p + q), without overflow or cancellation.
template <class T>
struct TanhSoftplus {
  T value, rest;

  [[gnu::always_inline]] explicit TanhSoftplus(T x) noexcept {
    const T n = exp_of(x < T(0) ? x : -x);
    const T p = x < T(0) ? n * (n + T(2)) : T(1) + T(2) * n;
    const T q = x < T(0) ? T(2) : T(2) * n * n;
    value = p / (p + q);
    rest = q / (p + q);
  }
};

/// The most that clipped_gelu gives.
inline constexpr double kGeluLimit = 10;

/// f(x)
template <ActivationKind kind, class T>
[[nodiscard, gnu::always_inline]] inline T activate(T x) noexcept {
  if constexpr (kind == ActivationKind::relu) return x < T(0) ? T(0) : x;  // NaN stays NaN
  if constexpr (kind == ActivationKind::gelu) return T(0.5) * x * (T(1) + erf_of(x * T(0.70710678118654752)));
  if constexpr (kind == ActivationKind::gelu_tanh) return x * sigmoid_of(gelu_argument(x));
  if constexpr (kind == ActivationKind::silu) return x * sigmoid_of(x);
  if constexpr (kind == ActivationKind::tanh) return tanh_of(x);
  if constexpr (kind == ActivationKind::sigmoid) return sigmoid_of(x);
  if constexpr (kind == ActivationKind::quick_gelu) return x * sigmoid_of(T(1.702) * x);
  if constexpr (kind == ActivationKind::clipped_gelu) {
    const T y = activate<ActivationKind::gelu>(x);
    return y > T(kGeluLimit) ? T(kGeluLimit) : y;
  }
  if constexpr (kind == ActivationKind::mish) return x * TanhSoftplus<T>(x).value;
}

/// f'(x)
template <ActivationKind kind, class T>
[[nodiscard, gnu::always_inline]] inline T activate_slope(T x) noexcept {
  if constexpr (kind == ActivationKind::relu) return x > T(0) ? T(1) : T(0);
  if constexpr (kind == ActivationKind::gelu) {
    const T density = T(0.39894228040143268) * exp_of(T(-0.5) * x * x);
    return T(0.5) * (T(1) + erf_of(x * T(0.70710678118654752))) + x * density;
  }
  if constexpr (kind == ActivationKind::gelu_tanh) {
    const T s = sigmoid_of(gelu_argument(x));
    return s + x * s * (T(1) - s) * T(1.5957691216057308) * (T(1) + T(3 * 0.044715) * x * x);
  }
  if constexpr (kind == ActivationKind::silu) {
    const T s = sigmoid_of(x);
    return s * (T(1) + x * (T(1) - s));
  }
  if constexpr (kind == ActivationKind::tanh) {
    const T y = tanh_of(x);
    return T(1) - y * y;
  }
  if constexpr (kind == ActivationKind::sigmoid) {
    const T y = sigmoid_of(x);
    return y * (T(1) - y);
  }
  if constexpr (kind == ActivationKind::quick_gelu) {
    const T s = sigmoid_of(T(1.702) * x);
    return s * (T(1) + T(1.702) * x * (T(1) - s));
  }
  if constexpr (kind == ActivationKind::clipped_gelu) {
    const T slope = activate_slope<ActivationKind::gelu>(x);
    return activate<ActivationKind::gelu>(x) > T(kGeluLimit) ? T(0) : slope;
  }
  if constexpr (kind == ActivationKind::mish) {
    const TanhSoftplus<T> t(x);
    // (tanh u)' = (1 - tanh u)(1 + tanh u), and u' = σ(x)
    return t.value + x * t.rest * (T(1) + t.value) * sigmoid_of(x);
  }
}

/// Calls `body.template operator()<kind>()`: the choice is made outside of the loops.
template <class Body>
inline void with_kind(ActivationKind kind, const Body& body) {
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
}

/// y[i] = f(x[i]); y may be x.
template <class T>
inline void activate_row(ActivationKind kind, const T* x, T* y, std::int64_t n) noexcept {
  with_kind(kind, [&]<ActivationKind k>() {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = activate<k>(x[i]);
  });
}

/// dx[i] = f'(x) dy[i], where kept[i] is f(x) for tanh and sigmoid, else x; dx may be kept or dy.
template <class T>
inline void activate_gradient_row(ActivationKind kind, const T* kept, const T* dy, T* dx, std::int64_t n) noexcept {
  with_kind(kind, [&]<ActivationKind k>() {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) {
      T slope;
      if constexpr (k == ActivationKind::tanh) {
        slope = T(1) - kept[i] * kept[i];
      } else if constexpr (k == ActivationKind::sigmoid) {
        slope = kept[i] * (T(1) - kept[i]);
      } else {
        slope = activate_slope<k>(kept[i]);
      }
      dx[i] = slope * dy[i];
    }
  });
}

/// Bit i % 8 of byte i / 8 says whether x[i] > 0; ceil(n / 8) bytes.
template <class T>
inline void pack_positive(const T* x, std::uint8_t* bits, std::int64_t n) noexcept {
  constexpr std::int64_t kBlock = 64;
  std::uint8_t positive[kBlock];
  for (std::int64_t first = 0; first < n; first += kBlock) {
    const std::int64_t count = n - first < kBlock ? n - first : kBlock;
    for (std::int64_t i = count; i < kBlock; ++i) positive[i] = 0;
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) positive[i] = x[first + i] > T(0) ? 1 : 0;
    for (std::int64_t byte = 0; byte * 8 < count; ++byte) {
      std::uint64_t flags = 0;
      for (int i = 0; i < 8; ++i) flags |= static_cast<std::uint64_t>(positive[byte * 8 + i]) << (8 * i);
      // the product moves flag i from bit 8 i to bit 56 + i; no two terms meet in one bit
      bits[first / 8 + byte] = static_cast<std::uint8_t>(flags * 0x0102040810204080U >> 56);
    }
  }
}

/// dx[i] = dy[i] where the bit is set, else 0; dx may be dy.
template <class T>
inline void select_positive(const std::uint8_t* bits, const T* dy, T* dx, std::int64_t n) noexcept {
  static constexpr std::uint32_t kBit[16] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
  const std::int64_t whole = n / 16 * 16;
  for (std::int64_t first = 0; first < whole; first += 16) {
    const std::uint32_t packed = bits[first / 8] | static_cast<std::uint32_t>(bits[first / 8 + 1]) << 8;
#pragma omp simd
    for (int i = 0; i < 16; ++i) dx[first + i] = (packed & kBit[i]) != 0 ? dy[first + i] : T(0);
  }
  for (std::int64_t i = whole; i < n; ++i) dx[i] = (bits[i / 8] & kBit[i % 8]) != 0 ? dy[i] : T(0);
}

}  // namespace preamble::PREAMBLE_ISA
