// A contiguous, row-major block of numbers in main memory, owned or mapped, shared by handle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/dtype.h"

namespace preamble {

using Dims = std::vector<std::int64_t>;

/// Product of the dimensions; 1 for a scalar.
[[nodiscard]] std::int64_t count_of(std::span<const std::int64_t> dims) noexcept;
/// `[2, 3]`
[[nodiscard]] std::string to_string(std::span<const std::int64_t> dims);

/// Handle of a contiguous tensor. Copies share the memory; `clone` copies it. Mapped memory is read-only: writing
/// through `data` of a tensor with `writable() == false` is a bug.
class Tensor {
 public:
  Tensor() = default;
  /// Owned, zero-filled, aligned to 64 bytes.
  Tensor(Dtype dtype, Dims dims);
  /// Memory owned by `keeper` (a mapped file, another tensor); lives as long as any handle does.
  Tensor(Dtype dtype, Dims dims, std::shared_ptr<const void> keeper, const void* data);

  [[nodiscard]] bool defined() const noexcept { return data_ != nullptr || keeper_ != nullptr; }
  [[nodiscard]] Dtype dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Dims& dims() const noexcept { return dims_; }
  [[nodiscard]] std::int64_t dim(std::size_t axis) const { return dims_.at(axis); }
  [[nodiscard]] std::int64_t count() const noexcept { return count_of(dims_); }
  [[nodiscard]] std::size_t bytes() const noexcept;
  [[nodiscard]] bool writable() const noexcept { return writable_; }
  /// What keeps the memory: expires when the last handle is gone. Who knows the memory by its address checks it first.
  [[nodiscard]] std::weak_ptr<const void> owner() const noexcept { return keeper_; }

  [[nodiscard]] const void* data() const noexcept { return data_; }
  [[nodiscard]] void* data() noexcept { return const_cast<void*>(data_); }

  /// Elements as `T`. Throws DtypeError if the tensor holds another type.
  template <class T>
  [[nodiscard]] std::span<T> values() {
    check(dtype_v<T>, true);
    return {static_cast<T*>(data()), static_cast<std::size_t>(count())};
  }
  template <class T>
  [[nodiscard]] std::span<const T> values() const {
    check(dtype_v<T>, false);
    return {static_cast<const T*>(data_), static_cast<std::size_t>(count())};
  }

  /// An owned copy.
  [[nodiscard]] Tensor clone() const;
  /// This tensor if it has the type already, else an owned, converted copy (`convert`, or `quantise` and `dequantise` where one of the
  /// types is quantised).
  [[nodiscard]] Tensor to(Dtype dtype) const;
  /// The same memory under other dimensions of equal count. Throws ShapeError.
  [[nodiscard]] Tensor reshaped(Dims dims) const;
  /// Rows [first, first + count) of the leading axis, sharing memory; of a quantised matrix an owned F32 copy of them. Throws ShapeError.
  [[nodiscard]] Tensor rows(std::int64_t first, std::int64_t count) const;

 private:
  void check(Dtype wanted, bool writing) const;

  Dtype dtype_ = Dtype::f32;
  Dims dims_;
  std::shared_ptr<const void> keeper_;
  const void* data_ = nullptr;
  bool writable_ = false;
};

/// An owned F32 tensor from values. Throws ShapeError if counts differ.
[[nodiscard]] Tensor tensor_of(Dims dims, std::span<const float> values);
/// An owned I32 tensor from values. Throws ShapeError if counts differ.
[[nodiscard]] Tensor tensor_of(Dims dims, std::span<const std::int32_t> values);

}  // namespace preamble
