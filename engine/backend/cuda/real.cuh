// Real numbers in device memory, float32 or bf16; kernels compute with them as float32. Included by .cu files alone.
#pragma once

#include <cstdint>

#include <cuda_bf16.h>

#include "engine/backend/cuda/check.h"
#include "engine/backend/cuda/kernel.h"

namespace preamble::cuda {

using Bf16 = __nv_bfloat16;

[[nodiscard]] __device__ inline float to_float(float x) { return x; }
[[nodiscard]] __device__ inline float to_float(Bf16 x) { return __bfloat162float(x); }

template <class T>
[[nodiscard]] __device__ inline T from_float(float x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return x;
  } else {
    return __float2bfloat16_rn(x);
  }
}

template <class T>
inline constexpr Dtype real_dtype = Dtype::f32;
template <>
inline constexpr Dtype real_dtype<Bf16> = Dtype::bf16;

/// Throws DeviceError unless the type is float32 or bf16.
inline void require_real(Dtype dtype) {
  if (dtype != Dtype::f32 && dtype != Dtype::bf16) fail("cuda: a value is ", name_of(dtype), "; wanted F32 or BF16");
}

/// An array of either type, for what is read or written so rarely that a test of its type costs nothing: scalars, losses, parameters of a
/// row. May be absent.
class Reals {
 public:
  Reals() = default;
  /// Throws DeviceError if the view is present and of neither type.
  explicit Reals(const View& view) : data_(view.data), narrow_(view.dtype == Dtype::bf16) {
    if (view) require_real(view.dtype);
  }

  /// Four-byte words of any type, for kernels that only move them.
  [[nodiscard]] static Reals words(const View& view) noexcept {
    Reals words;
    words.data_ = view.data;
    return words;
  }

  [[nodiscard]] __device__ bool narrow() const { return narrow_; }
  template <class T>
  [[nodiscard]] __device__ T* as() const {
    return static_cast<T*>(data_);
  }
  [[nodiscard]] __host__ __device__ explicit operator bool() const { return data_ != nullptr; }
  [[nodiscard]] __device__ float operator[](std::int64_t i) const {
    return narrow_ ? to_float(static_cast<const Bf16*>(data_)[i]) : static_cast<const float*>(data_)[i];
  }
  __device__ void set(std::int64_t i, float x) const {
    if (narrow_) {
      static_cast<Bf16*>(data_)[i] = from_float<Bf16>(x);
    } else {
      static_cast<float*>(data_)[i] = x;
    }
  }

 private:
  void* data_ = nullptr;
  bool narrow_ = false;
};

/// Calls `body.template operator()<E>()`, E the type of a real value's elements. Throws DeviceError for another type.
template <class Body>
void with_real(Dtype dtype, const Body& body) {
  require_real(dtype);
  if (dtype == Dtype::bf16) return body.template operator()<Bf16>();
  body.template operator()<float>();
}

}  // namespace preamble::cuda
