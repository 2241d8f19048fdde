// The activation of rows that keeps a mask. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/activate.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// y = f(x) and the bits x > 0 of each row, `mask_width` bytes; either may be absent. A thread owns eight columns of a row: one byte of the
/// mask. x is read once, before y is written, so that y may be x.
template <class T>
__global__ void __launch_bounds__(kThreads)
    finish_rows_kernel(ActivationKind kind, const T* x, T* y, std::uint8_t* mask, std::int64_t mask_width, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  const std::int64_t first = row * size.columns + column;
  float v[kOctet];
  load(x + first, left, v);
  if (mask != nullptr) mask[row * mask_width + column / kOctet] = positive_bits(v);
  if (y == nullptr) return;
  activate_octet<T>(kind, v);
  store(y + first, left, v);
}

template <class T>
void finish_rows(const char* name, ActivationKind kind, const View& x, const View& y, const View& mask, const Queue& queue) {
  const Matrix size{x.layout, x.rows, x.width};
  launch_each(name, finish_rows_kernel<T>, size.bound * octets_of(size.columns), queue, kind, x.as<const T>(), y.as<T>(),
              mask.as<std::uint8_t>(), mask.width, size);
}

}  // namespace preamble::cuda
