#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/backend/cuda/stored_rows.h"
#include "engine/ops/gather_rows.h"

namespace preamble::cuda {
namespace {

/// y[r, :] = table[index[r], :]. A thread owns eight columns of a row.
__global__ void __launch_bounds__(kThreads) gather_rows_kernel(Reals table, const std::int32_t* index, Reals y, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  float v[kOctet];
  load(table, index[row] * size.columns + column, left, v);
  store(y, row * size.columns + column, left, v);
}

}  // namespace

template <class T>
void gather_rows(const Arguments& args) {
  const View& table = args.in[GatherRows::kTable];
  const View& y = args.out[0];
  const auto* index = args.in[GatherRows::kIndex].as<const std::int32_t>();
  if (is_encoded(table.dtype)) return gather_encoded_rows("gather_rows", table, index, y, args.queue);
  const bool words = table.dtype == Dtype::i32;
  const Matrix size{y.layout, y.rows, y.width};
  launch_each("gather_rows", gather_rows_kernel, size.bound * octets_of(size.columns), args.queue,
              words ? Reals::words(table) : Reals(table), index, words ? Reals::words(y) : Reals(y), size);
}

template void gather_rows<float>(const Arguments&);
template void gather_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
