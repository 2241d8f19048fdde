#include "engine/backend/cuda/stored_rows.h"

#include "engine/backend/cuda/copy_rows.cuh"
#include "engine/backend/cuda/row_numbers.cuh"
#include "engine/backend/cuda/stored_octet.h"

namespace preamble::cuda {
namespace {

/// Which row of a matrix a row of the result comes from.
struct RowsFrom {
  std::int64_t first;
  [[nodiscard]] __device__ std::int64_t operator()(std::int64_t r) const { return first + r; }
};
struct RowsOfIndex {
  const std::int32_t* index;
  [[nodiscard]] __device__ std::int64_t operator()(std::int64_t r) const { return index[r]; }
};
struct RowsOfNumbers {
  RowNumbers numbers;
  [[nodiscard]] __device__ std::int64_t operator()(std::int64_t r) const { return numbers.row[r]; }
};

/// to[r, :] = w[row_at(r), first_column + :]. A thread owns eight columns of a row.
template <StoredFormat format, class RowAt>
__global__ void __launch_bounds__(kThreads) decode_kernel(const __grid_constant__ StoredMatrix w, const __grid_constant__ RowAt row_at,
                                                          std::int64_t first_column, Block to, Matrix size) {
  const auto [row, column, left] = OctetIndex(size.columns);
  if (row >= size.rows()) return;
  float v[kOctet];
  decode_octet<format>(w, row_at(row), first_column + column, left, v);
  store(to.data, to.first + row * to.stride + column, left, v);
}

template <class RowAt>
void decode(const char* name, const View& view, const RowAt& row_at, std::int64_t first_column, const Block& to, const Matrix& size,
            const Queue& queue) {
  if (size.columns <= 0) return;
  const StoredMatrix w = stored(view);
  const bool known = with_format(view.dtype, [&]<StoredFormat format>() {
    launch_each(name, decode_kernel<format, RowAt>, size.bound * octets_of(size.columns), queue, w, row_at, first_column, to, size);
  });
  if (!known) fail(name, ": the GPU does not read matrices of type ", name_of(view.dtype));
}

}  // namespace

StoredMatrix stored(const View& w) {
  const std::int64_t rows = w.dims->front();
  return StoredMatrix::of(w.dtype, rows, rows == 0 ? 0 : w.width / rows, w.data);
}

void decode_rows(const char* name, const View& w, std::int64_t first_row, std::int64_t first_column, std::int64_t rows, std::int64_t width,
                 const View& to, const Queue& queue) {
  decode(name, w, RowsFrom{first_row}, first_column, {Reals(to), 0, width}, {nullptr, rows, width}, queue);
}

void convert_matrix(const char* name, const View& w, const View& to, const Queue& queue) {
  if (!is_encoded(w.dtype)) return copy_elements(name, Reals(w), 0, Reals(to), 0, w.width, queue);
  const StoredMatrix matrix = stored(w);
  decode_rows(name, w, 0, 0, matrix.rows, matrix.columns, to, queue);
}

void gather_encoded_rows(const char* name, const View& w, const std::int32_t* index, const View& y, const Queue& queue) {
  decode(name, w, RowsOfIndex{index}, 0, {Reals(y), 0, y.width}, {y.layout, y.rows, y.width}, queue);
}

void pick_encoded_rows(const char* name, const View& w, const std::vector<std::int32_t>& rows, const View& to, const Queue& queue) {
  const auto total = static_cast<std::int64_t>(rows.size());
  const std::int64_t columns = to.width / std::max<std::int64_t>(total, 1);
  for (std::int64_t first = 0; first < total; first += RowNumbers::kMost) {
    const std::int64_t count = std::min(RowNumbers::kMost, total - first);
    RowsOfNumbers row_at;
    std::copy_n(rows.begin() + first, count, row_at.numbers.row);
    decode(name, w, row_at, 0, {Reals(to), first * columns, columns}, {nullptr, count, columns}, queue);
  }
}

}  // namespace preamble::cuda
