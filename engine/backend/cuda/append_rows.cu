#include "engine/backend/cuda/octet.cuh"
#include "engine/backend/cuda/rows.cuh"
#include "engine/ops/append_rows.h"

namespace preamble::cuda {
namespace {

/// cache[index[r], :] = x[r, :] where the row of the cache exists. A thread owns eight columns of a row of x.
__global__ void __launch_bounds__(kThreads)
    append_rows_kernel(Reals x, const std::int32_t* index, Reals cache, std::int64_t cache_rows, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  const std::int64_t cache_row = index[row];
  if (cache_row < 0 || cache_row >= cache_rows) return;
  float v[kOctet];
  load(x, row * size.columns + column, left, v);
  store(cache, cache_row * size.columns + column, left, v);
}

}  // namespace

template <class T>
void append_rows(const Arguments& args) {
  const View& x = args.in[AppendRows::kRows];
  const View& cache = args.out[0];
  const Matrix size{x.layout, x.rows, x.width};
  launch_each("append_rows", append_rows_kernel, size.bound * octets_of(size.columns), args.queue, Reals(x),
              args.in[AppendRows::kIndex].as<const std::int32_t>(), Reals(cache), cache.width / x.width, size);
}

template void append_rows<float>(const Arguments&);
template void append_rows<Bf16>(const Arguments&);

}  // namespace preamble::cuda
