#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/tile.cuh"

namespace preamble::cuda {
namespace {

constexpr int kThreads = 256;
/// Lanes that share one row and head.
constexpr int kLanes = 8;

/// Eight lanes own one head of a row. Everything is read once.
__global__ void __launch_bounds__(kThreads) output_products_kernel(RowsIn output_gradient, RowsIn output, const Layout* layout,
                                                                   std::int32_t heads, std::int32_t dim, float* products) {
  const std::int64_t item = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) / kLanes;
  const bool exists = item < std::int64_t{layout->rows} * heads;
  const std::int64_t row = item / heads;
  const auto head = static_cast<int>(item % heads);
  float sum = 0;
  for (int c = static_cast<int>(threadIdx.x) % kLanes * 4; exists && c < dim; c += 4 * kLanes) {
    const float4 a = load_four(output_gradient, row, head * dim + c, dim - c);
    const float4 b = load_four(output, row, head * dim + c, dim - c);
    sum += a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
  }
#pragma unroll
  for (int lanes = kLanes / 2; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(~0U, sum, lanes);
  if (exists && threadIdx.x % kLanes == 0) products[item] = sum;
}

/// A thread owns an element.
__global__ void __launch_bounds__(kThreads)
    add_chunks_kernel(const float* sums, std::int32_t chunks, std::int64_t chunk_elements, RowsOut to, std::int64_t columns, const Layout* layout) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const std::int64_t rows = layout != nullptr ? layout->rows : 1;
  if (i >= rows * columns) return;
  float sum = 0;
  for (std::int32_t c = 0; c < chunks; ++c) sum += sums[c * chunk_elements + i];
  to.set(i / columns, static_cast<int>(i % columns), sum);
}

dim3 blocks_for(std::int64_t items) { return dim3(static_cast<unsigned>((items + kThreads - 1) / kThreads)); }

}  // namespace

void output_products(const Queue& queue, const View& output_gradient, const View& output, std::int32_t heads, float* products) {
  launch_blocks("attention_grad: products", output_products_kernel, blocks_for(output.rows * heads * kLanes), kThreads, 0, queue,
                RowsIn(output_gradient), RowsIn(output), output.layout, heads, static_cast<std::int32_t>(output.width / heads), products);
}

void add_chunks(const Queue& queue, const float* sums, std::int64_t chunks, std::int64_t chunk_elements, const View& to) {
  launch_blocks("attention_grad: sums", add_chunks_kernel, blocks_for(to.rows * to.width), kThreads, 0, queue, sums,
                static_cast<std::int32_t>(chunks), chunk_elements, RowsOut(to), to.width, to.layout);
}

}  // namespace preamble::cuda
