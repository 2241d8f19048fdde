// Copies of blocks of matrices, which convert between float32 and bf16. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// A block of a matrix: its first element, and from row to row how many elements there are.
struct Block {
  Reals data;
  std::int64_t first = 0;
  std::int64_t stride = 0;
};

/// to[r, :] = from[r, :]. A thread owns eight columns of a row.
static __global__ void __launch_bounds__(kThreads) copy_rows_kernel(Block from, Block to, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  float v[kOctet];
  load(from.data, from.first + row * from.stride + column, left, v);
  store(to.data, to.first + row * to.stride + column, left, v);
}

inline void copy_rows(const char* name, const Block& from, const Block& to, const Matrix& size, const Queue& queue) {
  if (size.columns <= 0) return;
  launch_each(name, copy_rows_kernel, size.bound * octets_of(size.columns), queue, from, to, size);
}

/// Elements [first, first + count), converted where the types differ.
inline void copy_elements(const char* name, const Reals& from, std::int64_t from_first, const Reals& to, std::int64_t to_first,
                          std::int64_t count, const Queue& queue) {
  // rows of eight: the last one may be shorter, which a row of its own shows
  const std::int64_t whole = count / kOctet;
  copy_rows(name, {from, from_first, kOctet}, {to, to_first, kOctet}, {nullptr, whole, kOctet}, queue);
  copy_rows(name, {from, from_first + whole * kOctet, 0}, {to, to_first + whole * kOctet, 0}, {nullptr, 1, count - whole * kOctet}, queue);
}

/// Bytes of `count` elements of a view become zero.
inline void clear(const char* name, const View& v, std::int64_t first, std::int64_t count, const Queue& queue) {
  if (!v || count <= 0) return;
  const auto size = static_cast<std::int64_t>(size_of(v.dtype));
  check(cudaMemsetAsync(v.as<std::byte>() + first * size, 0, static_cast<std::size_t>(count * size), queue.stream), name, ": zeros");
}

/// Rows of x behind the true ones, up to the bound, become zero: sums over all rows of the bound are then sums over the true ones.
static __global__ void __launch_bounds__(kThreads) clear_tail_kernel(Reals x, Matrix size) {
  const std::int64_t first = size.count() + thread_index() * kOctet, left = size.bound * size.columns - first;
  if (left <= 0) return;
  const float zeros[kOctet] = {};
  store(x, first, left, zeros);
}

inline void clear_tail(const char* name, const View& x, const Queue& queue) {
  if (x.layout == nullptr) return;
  const Matrix size{x.layout, x.rows, x.width};
  launch_each(name, clear_tail_kernel, ceil_div(size.most(), kOctet), queue, Reals(x), size);
}

}  // namespace preamble::cuda
