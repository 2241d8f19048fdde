#include <climits>
#include <cstdint>

#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/tile.cuh"
#include "engine/backend/cuda/octet.cuh"

namespace preamble::cuda {
namespace {

constexpr int kThreads = 256;
/// Lanes that share one row and head.
constexpr int kLanes = 8;

/// Σ of the products of two numbers of bf16.
[[nodiscard]] __device__ inline float product_of(std::uint32_t a, std::uint32_t b) {
  return __uint_as_float(a << 16U) * __uint_as_float(b << 16U) + __uint_as_float(a & 0xFFFF0000U) * __uint_as_float(b & 0xFFFF0000U);
}

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

/// The same for heads of bf16 whose pieces of eight columns lie at multiples of 16 bytes.
__global__ void __launch_bounds__(kThreads) narrow_products_kernel(RowsIn output_gradient, RowsIn output, const Layout* layout,
                                                                   std::int32_t heads, std::int32_t dim, float* products) {
  const auto item = static_cast<std::int32_t>((blockIdx.x * kThreads + threadIdx.x) / kLanes);
  const bool exists = item < layout->rows * heads;
  const std::int32_t row = item / heads, head = item % heads;
  float sum = 0;
  for (int c = static_cast<int>(threadIdx.x) % kLanes * kOctet; exists && c < dim; c += kOctet * kLanes) {
    const uint4 a = __ldg(static_cast<const uint4*>(output_gradient.at(row, head * dim + c)));
    const uint4 b = __ldg(static_cast<const uint4*>(output.at(row, head * dim + c)));
    sum += product_of(a.x, b.x) + product_of(a.y, b.y) + product_of(a.z, b.z) + product_of(a.w, b.w);
  }
#pragma unroll
  for (int lanes = kLanes / 2; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(~0U, sum, lanes);
  if (exists && threadIdx.x % kLanes == 0) products[item] = sum;
}

/// What a row of blocks adds up: one result.
struct ChunkedSums {
  const float* sums;
  RowsOut to;
};

/// A thread owns an element of a result.
__global__ void __launch_bounds__(kThreads)
    add_chunks_kernel(ChunkedSums first, ChunkedSums second, std::int32_t chunks, std::int64_t chunk_elements, std::int64_t columns,
                      const Layout* layout) {
  const float* sums = blockIdx.y == 0 ? first.sums : second.sums;
  const RowsOut to = blockIdx.y == 0 ? first.to : second.to;
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const std::int64_t rows = layout != nullptr ? layout->rows : 1;
  if (i >= rows * columns) return;
  float sum = 0;
#pragma unroll 8
  for (std::int32_t c = 0; c < chunks; ++c) sum += sums[c * chunk_elements + i];
  to.set(i / columns, static_cast<int>(i % columns), sum);
}

dim3 blocks_for(std::int64_t items) { return dim3(static_cast<unsigned>((items + kThreads - 1) / kThreads)); }

}  // namespace

void output_products(const Queue& queue, const View& output_gradient, const View& output, std::int32_t heads, float* products) {
  const RowsIn from(output_gradient), of(output);
  const auto dim = static_cast<std::int32_t>(output.width / heads);
  const auto is_whole = [](const RowsIn& x) {
    return x.narrow && x.width % kOctet == 0 && reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0;
  };
  const bool narrow = is_whole(from) && is_whole(of) && dim % kOctet == 0 && output.rows * heads * kLanes < INT_MAX;
  launch_blocks("attention_grad: products", narrow ? narrow_products_kernel : output_products_kernel,
                blocks_for(output.rows * heads * kLanes), kThreads, 0, queue, from, of, output.layout, heads, dim, products);
}

void add_chunks(const Queue& queue, const float* sums, std::int64_t chunks, std::int64_t chunk_elements, const View& to) {
  add_chunks(queue, sums, nullptr, chunks, chunk_elements, to, {});
}

void add_chunks(const Queue& queue, const float* sums, const float* others, std::int64_t chunks, std::int64_t chunk_elements,
                const View& to, const View& other) {
  if (!to && !other) return;
  const View& shape = to ? to : other;
  const ChunkedSums first{to ? sums : others, RowsOut(shape)}, second{others, RowsOut(other)};
  dim3 blocks = blocks_for(shape.rows * shape.width);
  blocks.y = to && other ? 2 : 1;
  launch_blocks("attention_grad: sums", add_chunks_kernel, blocks, kThreads, 0, queue, first, second, static_cast<std::int32_t>(chunks),
                chunk_elements, shape.width, shape.layout);
}

}  // namespace preamble::cuda
