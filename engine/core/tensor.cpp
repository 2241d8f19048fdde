#include "engine/core/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include <sys/mman.h>

#include "engine/core/anonymous_memory.h"
#include "engine/core/error.h"
#include "engine/core/quantise.h"
#include "engine/core/stored_matrix.h"

namespace preamble {
namespace {

constexpr std::size_t kAlignment = 64;

std::shared_ptr<void> allocate(std::size_t bytes) {
  const std::size_t rounded = std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  constexpr std::size_t kLarge = 1 << 20;
  if (rounded >= kLarge) {
    // zero pages that cost nothing until they are touched
    void* memory = ::mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return {memory, [rounded](void* m) { ::munmap(m, rounded); }};
  }
  void* memory = std::aligned_alloc(kAlignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, rounded);
  return {memory, std::free};
}

template <class T>
Tensor owned(Dims dims, std::span<const T> values) {
  Tensor result(dtype_v<T>, std::move(dims));
  require<ShapeError>(result.count() == static_cast<std::int64_t>(values.size()), "tensor: {} values were given; {} holds {}",
                      values.size(), to_string(result.dims()), result.count());
  std::copy(values.begin(), values.end(), result.values<T>().begin());
  return result;
}

}  // namespace

std::int64_t count_of(std::span<const std::int64_t> dims) noexcept {
  std::int64_t count = 1;
  for (const auto dim : dims) count *= dim;
  return count;
}

std::string to_string(std::span<const std::int64_t> dims) { return fmt::format("[{}]", fmt::join(dims, ", ")); }

Tensor::Tensor(Dtype dtype, Dims dims) : dtype_(dtype), dims_(std::move(dims)), writable_(true) {
  for (const auto dim : dims_) require<ShapeError>(dim >= 0, "tensor: dimensions {} were given; wanted none below zero", to_string(dims_));
  auto memory = allocate(bytes());
  data_ = memory.get();
  keeper_ = std::move(memory);
}

Tensor::Tensor(Dtype dtype, Dims dims, std::shared_ptr<const void> keeper, const void* data)
    : dtype_(dtype), dims_(std::move(dims)), keeper_(std::move(keeper)), data_(data) {}

std::size_t Tensor::bytes() const noexcept { return static_cast<std::size_t>(bytes_of(dtype_, dims_)); }

Tensor Tensor::clone() const {
  Tensor result(dtype_, dims_);
  if (bytes() != 0) std::memcpy(result.data(), data_, bytes());
  return result;
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == dtype_) return *this;
  if (is_quantised(dtype)) return quantise(*this, dtype);
  if (is_quantised(dtype_)) return dequantise(*this, 0, dim(0)).to(dtype);
  Tensor result(dtype, dims_);
  prefer_large_pages(result.data(), result.bytes());
  convert(data_, dtype_, result.data(), dtype, static_cast<std::size_t>(count()));
  return result;
}

Tensor Tensor::reshaped(Dims dims) const {
  require<ShapeError>(!is_quantised(dtype_) || dims == dims_, "reshape: {} was given; wanted {}, since the matrix is {}", to_string(dims),
                      to_string(dims_), name_of(dtype_));
  require<ShapeError>(count_of(dims) == count(), "reshape: {} was given; {} holds another number of elements", to_string(dims), to_string(dims_));
  Tensor result = *this;
  result.dims_ = std::move(dims);
  return result;
}

Tensor Tensor::rows(std::int64_t first, std::int64_t rows) const {
  require<ShapeError>(!dims_.empty() && first >= 0 && rows >= 0 && first + rows <= dims_[0], "rows: [{}, {}) was asked for; the tensor is {}",
                      first, first + rows, to_string(dims_));
  if (is_quantised(dtype_)) return dequantise(*this, first, rows);
  Tensor result = *this;
  const std::size_t row_bytes = dims_[0] == 0 ? 0 : bytes() / static_cast<std::size_t>(dims_[0]);
  result.dims_[0] = rows;
  result.data_ = static_cast<const std::byte*>(data_) + static_cast<std::size_t>(first) * row_bytes;
  return result;
}

void Tensor::check(Dtype wanted, bool writing) const {
  require<DtypeError>(wanted == dtype_, "tensor: read as {}; it holds {}", name_of(wanted), name_of(dtype_));
  require<Error>(!writing || writable_, "tensor: opened for writing; its memory is read-only");
}

Tensor tensor_of(Dims dims, std::span<const float> values) { return owned(std::move(dims), values); }
Tensor tensor_of(Dims dims, std::span<const std::int32_t> values) { return owned(std::move(dims), values); }

}  // namespace preamble
