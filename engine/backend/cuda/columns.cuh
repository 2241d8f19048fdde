// Rows that may be parts of wider ones. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/kernel.h"

namespace preamble::cuda {

/// Rows of numbers, so many elements apart. May be absent.
template <class T>
struct Columns {
  T* data = nullptr;
  std::int64_t stride = 0;

  Columns() = default;
  explicit Columns(const View& view) : data(view.as<T>()), stride(view.row_stride()) {}
  [[nodiscard]] __host__ __device__ explicit operator bool() const { return data != nullptr; }
  [[nodiscard]] __device__ T* at(std::int64_t row, std::int64_t column) const { return data + row * stride + column; }
};

}  // namespace preamble::cuda
