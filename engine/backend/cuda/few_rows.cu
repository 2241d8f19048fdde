#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/backend/cuda/stored_octet.h"
#include "engine/backend/cuda/stored_rows.h"

namespace preamble::cuda {
namespace {

/// A kernel parameter: rows [first, first + R) of a product.
struct FewRowsCall {
  StoredMatrix w;
  Reals x, bias, addend, y;
  Matrix size;  ///< of y
  std::int64_t k = 0;
  std::int64_t first = 0;

  __device__ void store(std::int64_t row, std::int64_t column, float sum) const {
    const std::int64_t at = row * size.columns + column;
    if (bias) sum += bias[column];
    if (addend) sum += addend[at];
    y.set(at, sum);
  }
};

/// Columns of y that a warp makes of rows of w: numbers of x are used as often.
constexpr int kTogether = 4;

/// w is [N, K]. A warp owns `kTogether` rows of it, its lanes eight columns at a time.
template <StoredFormat format, int R>
__global__ void __launch_bounds__(kThreads) rows_of_weights_kernel(const __grid_constant__ FewRowsCall c) {
  const std::int64_t first_column = thread_index() / kWarp * kTogether;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (first_column >= c.size.columns) return;
  const std::int64_t rows = c.size.rows() - c.first;
  float sums[R][kTogether] = {};
  for (std::int64_t k = std::int64_t{lane} * kOctet; k < c.k; k += kWarp * kOctet) {
    const std::int64_t left = c.k - k;
    float w[kTogether][kOctet];
#pragma unroll
    for (int n = 0; n < kTogether; ++n) decode_octet<format>(c.w, min(first_column + n, c.size.columns - 1), k, left, w[n]);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      if (r >= rows) continue;
      float x[kOctet];
      load(c.x, (c.first + r) * c.k + k, left, x);
#pragma unroll
      for (int n = 0; n < kTogether; ++n) {
#pragma unroll
        for (int i = 0; i < kOctet; ++i) sums[r][n] += x[i] * w[n][i];
      }
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
#pragma unroll
    for (int n = 0; n < kTogether; ++n) {
      const float sum = warp_sum(sums[r][n]);
      if (lane == 0 && r < rows && first_column + n < c.size.columns) c.store(c.first + r, first_column + n, sum);
    }
  }
}

/// w is [K, N]. A block owns 32 columns of it, four lanes eight columns each; 64 rows are read side by side.
constexpr int kLanesOfRow = 4, kColumnsOfBlock = kLanesOfRow * kOctet;

template <StoredFormat format, int R>
__global__ void __launch_bounds__(kThreads) columns_of_weights_kernel(const __grid_constant__ FewRowsCall c) {
  constexpr int kWarpsOfBlock = kThreads / kWarp;
  __shared__ float parts[kWarpsOfBlock][R][kColumnsOfBlock];
  const auto thread = static_cast<int>(threadIdx.x);
  const int lane = thread % kLanesOfRow;
  const std::int64_t first_column = std::int64_t{blockIdx.x} * kColumnsOfBlock;
  const std::int64_t column = first_column + lane * kOctet, left = c.size.columns - column;
  const std::int64_t rows = c.size.rows() - c.first;
  float sums[R][kOctet] = {};
  for (std::int64_t k = thread / kLanesOfRow; left > 0 && k < c.k; k += kThreads / kLanesOfRow) {
    float w[kOctet];
    decode_octet<format>(c.w, k, column, left, w);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const float x = r < rows ? c.x[(c.first + r) * c.k + k] : 0.0F;
#pragma unroll
      for (int i = 0; i < kOctet; ++i) sums[r][i] += x * w[i];
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      float sum = sums[r][i];
#pragma unroll
      for (int step = kWarp / 2; step >= kLanesOfRow; step /= 2) sum += __shfl_xor_sync(~0U, sum, step);
      if (thread % kWarp < kLanesOfRow) parts[thread / kWarp][r][lane * kOctet + i] = sum;
    }
  }
  __syncthreads();
  if (thread >= R * kColumnsOfBlock) return;
  const int r = thread / kColumnsOfBlock, n = thread % kColumnsOfBlock;
  float sum = 0;
#pragma unroll
  for (const auto& part : parts) sum += part[r][n];
  if (r < rows && first_column + n < c.size.columns) c.store(c.first + r, first_column + n, sum);
}

template <StoredFormat format, int R>
void multiply(const char* name, bool out_in, const FewRowsCall& call, const Queue& queue) {
  static_assert(R * kColumnsOfBlock <= kThreads);
  if (out_in) {
    launch_each(name, rows_of_weights_kernel<format, R>, ceil_div(call.size.columns, kTogether) * kWarp, queue, call);
  } else {
    launch(name, columns_of_weights_kernel<format, R>, ceil_div(call.size.columns, kColumnsOfBlock), kThreads, queue, call);
  }
}

}  // namespace

void few_rows_product(const char* name, const FewRows& product, const Queue& queue) {
  FewRowsCall call;
  call.w = stored(product.w);
  call.x = Reals(product.x);
  call.bias = Reals(product.bias);
  call.addend = Reals(product.addend);
  call.y = Reals(product.y);
  call.size = {product.x.layout, product.x.rows, product.out_in ? call.w.rows : call.w.columns};
  call.k = product.x.width;
  const bool known = with_format(product.w.dtype, [&]<StoredFormat format>() {
    constexpr std::int64_t kMost = 8;
    for (call.first = 0; call.first < call.size.bound; call.first += kMost) {
      const std::int64_t rows = call.size.bound - call.first;
      if (rows == 1) {
        multiply<format, 1>(name, product.out_in, call, queue);
      } else if (rows <= 4) {
        multiply<format, 4>(name, product.out_in, call, queue);
      } else {
        multiply<format, kMost>(name, product.out_in, call, queue);
      }
    }
  });
  if (!known) fail(name, ": the GPU does not multiply with matrices of type ", name_of(product.w.dtype));
}

}  // namespace preamble::cuda
