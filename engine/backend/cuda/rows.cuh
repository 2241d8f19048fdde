// How many rows there are, and launches over them. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/check.h"
#include "engine/backend/cuda/kernel.h"

namespace preamble::cuda {

/// Rows of numbers, or a value [N, D] without a row space, as a matrix.
struct Matrix {
  const Layout* layout = nullptr;
  std::int64_t bound = 0;  ///< of the rows: what launches are made for
  std::int64_t columns = 0;
  std::int64_t parts = 1;  ///< rows of the matrix in a row of the layout: `in_parts`

  /// The true number of rows.
  [[nodiscard]] __device__ std::int64_t rows() const { return layout != nullptr ? layout->rows * parts : bound; }
  [[nodiscard]] __device__ std::int64_t count() const { return rows() * columns; }
  [[nodiscard]] std::int64_t most() const noexcept { return bound * columns; }
  /// Blocks of columns, of which each row has so many, as rows of their own.
  [[nodiscard]] Matrix in_parts(std::int64_t count) const noexcept { return {layout, bound * count, columns / count, parts * count}; }
};

[[nodiscard]] inline Matrix matrix_of(const View& v) {
  if (v.layout != nullptr || v.dims == nullptr || v.dims->empty()) return {v.layout, v.rows, v.width};
  const std::int64_t rows = v.dims->front();
  return {nullptr, rows, rows > 0 ? v.width / rows : 0};
}

[[nodiscard]] constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept { return (a + b - 1) / b; }

/// Threads of a block where nothing asks for another number.
inline constexpr int kThreads = 256;

/// Launches a kernel unless the grid is empty. Throws DeviceError, with the name, if the device refuses it.
template <class... Parameters, class... Values>
void launch(const char* name, void (*kernel)(Parameters...), std::int64_t blocks, int threads, const Queue& queue, Values... values) {
  if (blocks <= 0) return;
  kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0, queue.stream>>>(static_cast<Parameters>(values)...);
  check_launch(name);
}

/// The same for `items` threads in blocks of `kThreads`; fewer than 2³², so that their numbers are divided fast.
template <class... Parameters, class... Values>
void launch_each(const char* name, void (*kernel)(Parameters...), std::int64_t items, const Queue& queue, Values... values) {
  if (items > 0xFFFFFF00) fail(name, ": ", items, " threads are needed; wanted fewer than 2^32");
  launch(name, kernel, ceil_div(items, kThreads), kThreads, queue, values...);
}

/// Number of this thread in the launch.
[[nodiscard]] __device__ inline std::int64_t thread_index() { return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

}  // namespace preamble::cuda
