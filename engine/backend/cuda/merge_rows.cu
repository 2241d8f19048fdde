#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/merge_rows.h"

namespace preamble::cuda {
namespace {

/// y[r, :] = a[i, :] or b[-1 - i, :] by i = index[r]. A thread owns eight columns of a row.
__global__ void __launch_bounds__(kThreads) merge_rows_kernel(Reals a, Reals b, const std::int32_t* index, Reals y, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  const std::int64_t i = index[row];
  float v[kOctet];
  load(i >= 0 ? a : b, (i >= 0 ? i : -1 - i) * size.columns + column, left, v);
  store(y, row * size.columns + column, left, v);
}

}  // namespace

template <class T>
void merge_rows(const Arguments& args) {
  const View& y = args.out[0];
  const Matrix size{y.layout, y.rows, y.width};
  launch_each("merge_rows", merge_rows_kernel, size.bound * octets_of(size.columns), args.queue, Reals(args.in[MergeRows::kA]),
              Reals(args.in[MergeRows::kB]), args.in[MergeRows::kIndex].as<const std::int32_t>(), Reals(y), size);
}

template void merge_rows<float>(const Arguments&);
template void merge_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
