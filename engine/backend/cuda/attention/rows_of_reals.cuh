// Rows of float32 or bf16, of which a kernel learns the type when it runs. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/kernel.h"
#include "engine/backend/cuda/real.cuh"

namespace preamble::cuda {

/// Rows of float32 or bf16 that a kernel reads.
struct RowsIn {
  const void* data = nullptr;
  std::int32_t width = 0;  ///< elements from one row to the next
  bool narrow = false;  ///< bf16

  RowsIn() = default;
  /// Throws DeviceError if the view is present and of neither type.
  explicit RowsIn(const View& view) : data(view.data), width(static_cast<std::int32_t>(view.row_stride())), narrow(view.dtype == Dtype::bf16) {
    if (view) require_real(view.dtype);
  }
  [[nodiscard]] __host__ __device__ explicit operator bool() const { return data != nullptr; }
  /// One of two, chosen without taking the address of a kernel parameter.
  [[nodiscard]] static __device__ RowsIn pick(bool first, const RowsIn& a, const RowsIn& b) {
    RowsIn x;
    x.data = first ? a.data : b.data;
    x.width = first ? a.width : b.width;
    x.narrow = first ? a.narrow : b.narrow;
    return x;
  }
  [[nodiscard]] __device__ const void* at(std::int64_t row, int column) const {
    const std::int64_t i = row * width + column;
    return narrow ? static_cast<const void*>(static_cast<const Bf16*>(data) + i)
                  : static_cast<const void*>(static_cast<const float*>(data) + i);
  }
};

/// Rows of float32 or bf16 that a kernel writes; may be absent.
struct RowsOut {
  void* data = nullptr;
  std::int32_t width = 0;  ///< elements from one row to the next
  bool narrow = false;

  RowsOut() = default;
  explicit RowsOut(const View& view) : data(view.data), width(static_cast<std::int32_t>(view.row_stride())), narrow(view.dtype == Dtype::bf16) {
    if (view) require_real(view.dtype);
  }
  RowsOut(float* sums, std::int64_t columns) : data(sums), width(static_cast<std::int32_t>(columns)) {}
  [[nodiscard]] __host__ __device__ explicit operator bool() const { return data != nullptr; }
  /// float32 sums, so many elements further on.
  [[nodiscard]] __device__ RowsOut shifted(std::int64_t elements) const {
    RowsOut out = *this;
    if (elements != 0) out.data = static_cast<float*>(data) + elements;
    return out;
  }
  __device__ void set(std::int64_t row, int column, float x) const {
    const std::int64_t i = row * width + column;
    if (narrow) {
      static_cast<Bf16*>(data)[i] = __float2bfloat16_rn(x);
    } else {
      static_cast<float*>(data)[i] = x;
    }
  }
};

}  // namespace preamble::cuda
