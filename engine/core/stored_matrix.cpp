#include "engine/core/stored_matrix.h"

#include "engine/core/error.h"
#include "engine/core/tensor.h"

namespace preamble {
namespace {

constexpr std::int64_t kScaleAlignment = 64;

/// What follows from the type and the number of columns.
struct Row {
  std::int64_t bytes = 0;  ///< of values
  std::int64_t group = 1;
  std::int64_t scales = 0;  ///< of a row, behind the values
  bool column_scales = false;
};

constexpr std::int64_t divided_up(std::int64_t a, std::int64_t b) noexcept { return (a + b - 1) / b; }

Row row_of(Dtype dtype, std::int64_t columns) noexcept {
  const auto four_bits = [columns](std::int64_t group) { return Row{divided_up(columns, 32) * 16, group, divided_up(columns, group)}; };
  const auto blocks = [columns](std::int64_t elements, std::int64_t bytes) { return Row{divided_up(columns, elements) * bytes, elements}; };
  switch (dtype) {
    case Dtype::int8_rows: return {columns, columns, 1};
    case Dtype::int8_columns: return {columns, 1, 0, true};
    case Dtype::int4_32:
    case Dtype::nf4_32: return four_bits(32);
    case Dtype::int4_64:
    case Dtype::nf4_64: return four_bits(64);
    case Dtype::q8_0: return blocks(32, 34);
    case Dtype::q4_0: return blocks(32, 18);
    case Dtype::q4_k: return blocks(256, 144);
    case Dtype::q6_k: return blocks(256, 210);
    default: return {columns * static_cast<std::int64_t>(size_of(dtype))};
  }
}

std::int64_t scales_begin(std::int64_t rows, const Row& row) noexcept {
  return divided_up(rows * row.bytes, kScaleAlignment) * kScaleAlignment;
}

std::int64_t bytes_of_matrix(std::int64_t rows, std::int64_t columns, const Row& row) noexcept {
  const std::int64_t scales = row.column_scales ? columns : rows * row.scales;
  return scales == 0 ? rows * row.bytes : scales_begin(rows, row) + scales * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace

StoredMatrix StoredMatrix::of(Dtype dtype, std::int64_t rows, std::int64_t columns, const void* data) {
  const std::int64_t block = block_columns(dtype);
  require<ShapeError>(columns % block == 0, "{}: a matrix [{}, {}] was given; wanted a multiple of {} columns", name_of(dtype), rows,
                      columns, block);
  const Row row = row_of(dtype, columns);
  StoredMatrix m{dtype, rows, columns, static_cast<const std::byte*>(data), row.bytes, nullptr, row.scales, row.group};
  if (row.scales > 0 || row.column_scales) m.scales = reinterpret_cast<const float*>(m.values + scales_begin(rows, row));
  return m;
}

std::int64_t StoredMatrix::bytes() const noexcept { return bytes_of_matrix(rows, columns, row_of(dtype, columns)); }

std::int64_t bytes_of(Dtype dtype, std::span<const std::int64_t> dims) noexcept {
  if (!is_quantised(dtype)) return count_of(dims) * static_cast<std::int64_t>(size_of(dtype));
  const std::int64_t columns = dims.empty() ? 1 : dims.back();
  const std::int64_t rows = dims.empty() ? 1 : count_of(dims.first(dims.size() - 1));
  return bytes_of_matrix(rows, columns, row_of(dtype, columns));
}

std::int64_t block_columns(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::q8_0:
    case Dtype::q4_0: return 32;
    case Dtype::q4_k:
    case Dtype::q6_k: return 256;
    default: return 1;
  }
}

}  // namespace preamble
