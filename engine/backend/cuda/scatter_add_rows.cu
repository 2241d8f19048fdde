#include "engine/backend/cuda/column_sums.cuh"
#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/ops/gather_rows.h"

namespace preamble::cuda {
namespace {

/// Which row of the table a row of dy is added to; -1 for none.
struct Targets {
  const std::int32_t* index;
  bool negative;
  std::int64_t skip;
  std::int64_t count;  ///< rows of the table

  [[nodiscard]] __device__ std::int32_t operator[](std::int64_t r) const {
    const std::int64_t target = negative ? -1 - static_cast<std::int64_t>(index[r]) : index[r];
    return target < 0 || target >= count || target == skip ? -1 : static_cast<std::int32_t>(target);
  }
};

constexpr std::int32_t kLast = -1;      ///< no row behind has the same target
constexpr std::int32_t kNotFirst = -2;  ///< mark of a row before which another one has the same target
constexpr int kChainThreads = 128;

/// Links the rows of each target in their order: next[r] is the next row with r's target, first[r] tells whether none comes before. A block
/// owns 128 rows and compares them with all rows, 128 at a time from shared memory, unless targets ascend. Reads R² numbers in all, most of them from
/// there, which for the rows of a batch costs less than sorting.
__global__ void __launch_bounds__(kChainThreads)
    chain_kernel(Targets targets, const Layout* layout, std::int32_t* next, std::int32_t* first) {
  __shared__ std::int32_t other[kChainThreads];
  const std::int64_t rows = layout->rows, r = thread_index();
  if (static_cast<std::int64_t>(blockIdx.x) * kChainThreads >= rows) return;
  const std::int32_t target = r < rows ? targets[r] : -1;
  std::int32_t after = kLast;
  bool leads = target >= 0;
  // the index of a subset ascends: no two rows have one target
  bool ascends = true;
#pragma unroll 8
  for (std::int64_t other_row = threadIdx.x; other_row + 1 < rows; other_row += kChainThreads) {
    const std::int32_t low = targets[other_row];
    ascends = ascends && low >= 0 && low < targets[other_row + 1];
  }
  if (__syncthreads_and(static_cast<int>(ascends)) != 0) {
    if (r < rows) next[r] = kLast, first[r] = leads ? target : kNotFirst;
    return;
  }
  for (std::int64_t start = 0; start < rows; start += kChainThreads) {
    const std::int64_t mine = start + threadIdx.x;
    __syncthreads();
    other[threadIdx.x] = mine < rows ? targets[mine] : -1;
    __syncthreads();
    if (target < 0 || (start > r && after != kLast)) continue;
    for (int i = 0; i < kChainThreads; ++i) {
      if (other[i] != target) continue;
      if (start + i < r) leads = false;
      if (start + i > r && after == kLast) after = static_cast<std::int32_t>(start + i);
    }
  }
  if (r >= rows) return;
  next[r] = after;
  first[r] = leads ? target : kNotFirst;
}

/// out[target, :] = the sum of a chain of rows. A thread owns eight columns of the chain that begins at its row, if one does.
template <class D>
__global__ void __launch_bounds__(kThreads)
    add_chains_kernel(const D* dy, const std::int32_t* next, const std::int32_t* first, Reals out, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  const std::int32_t target = first[row];
  if (target < 0) return;
  float sum[kOctet] = {};
  for (std::int32_t r = static_cast<std::int32_t>(row); r != kLast;) {
    const std::int32_t after = next[r];
    float v[kOctet];
    load(dy + r * size.columns + column, left, v);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) sum[i] += v[i];
    r = after;
  }
  store(out, target * size.columns + column, left, sum);
}

/// parts[p, target, :] = the sum of the rows p, p + kRowParts, ... of dy that belong to a target of a small table. A thread owns eight
/// columns of a part and a target.
template <class D>
__global__ void __launch_bounds__(kThreads) few_rows_kernel(const D* dy, Targets targets, Matrix size, float* parts) {
  const auto [item, column, left] = OctetIndex(size.columns);
  const std::int64_t part = item / targets.count, target = item % targets.count;
  if (part >= kRowParts) return;
  const std::int64_t rows = size.rows();
  float sum[kOctet] = {};
  for (std::int64_t r = part; r < rows; r += kRowParts) {
    if (targets[r] != target) continue;
    float v[kOctet];
    load(dy + r * size.columns + column, left, v);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) sum[i] += v[i];
  }
  store(parts + item * size.columns + column, left, sum);
}

}  // namespace

/// No thread adds to what another one writes: a small table is summed in parts of the rows; else the rows of each target are chained in
/// their order, and each chain is summed by the threads of its first row.
template <class T>
void scatter_add_rows(const Arguments& args) {
  const auto& op = static_cast<const ScatterAddRows&>(args.op);
  const View& dy = args.in[ScatterAddRows::kGradient];
  const View& out = args.out[0];
  const Matrix size{dy.layout, dy.rows, dy.width}, table = matrix_of(out);
  const Targets targets{args.in[ScatterAddRows::kIndex].as<const std::int32_t>(), op.side == Side::negative, op.skip, table.bound};
  const std::int64_t octets = octets_of(size.columns);
  if (out.layout == nullptr && table.bound <= kFewRows) {
    auto* parts = reinterpret_cast<float*>(args.scratch);
    with_real(dy.dtype, [&]<class D>() {
      launch_each("scatter_add_rows", few_rows_kernel<D>, kRowParts * table.bound * octets, args.queue, dy.as<const D>(), targets, size,
                  parts);
    });
    add_parts("scatter_add_rows", parts, kRowParts, table.most(), out, false, args.queue);
    return;
  }
  clear("scatter_add_rows", out, 0, table.most(), args.queue);
  auto* next = reinterpret_cast<std::int32_t*>(args.scratch);
  std::int32_t* first = next + dy.rows;
  launch("scatter_add_rows", chain_kernel, ceil_div(dy.rows, kChainThreads), kChainThreads, args.queue, targets, dy.layout, next, first);
  with_real(dy.dtype, [&]<class D>() {
    launch_each("scatter_add_rows", add_chains_kernel<D>, size.bound * octets, args.queue, dy.as<const D>(), next, first, Reals(out), size);
  });
}

template void scatter_add_rows<float>(const Arguments&);
template void scatter_add_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
