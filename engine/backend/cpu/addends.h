// What an affine map of rows adds to its product.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

/// A bias [N] and a residual [rows, N]; each may be absent.
template <class T>
class Addends {
 public:
  Addends(const KernelArguments& args, std::size_t bias, std::size_t residual) noexcept
      : bias_(bias < args.in.size() ? args.in[bias].as<const T>() : nullptr),
        residual_(residual < args.in.size() ? args.in[residual].as<const T>() : nullptr) {}

  explicit operator bool() const noexcept { return bias_ != nullptr || residual_ != nullptr; }

  /// y = bias + residual for rows [begin, end) of y, which may be the residual. There is one of them at least.
  void fill(T* y, std::int64_t width, std::int64_t begin, std::int64_t end) const noexcept {
    const std::size_t bytes = static_cast<std::size_t>(width) * sizeof(T);
    for (std::int64_t row = begin; row < end; ++row) {
      T* out = y + row * width;
      if (residual_ == nullptr) {
        std::memcpy(out, bias_, bytes);
        continue;
      }
      if (residual_ != y) std::memcpy(out, residual_ + row * width, bytes);
      if (bias_ == nullptr) continue;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) out[i] += bias_[i];
    }
  }

 private:
  const T* bias_;
  const T* residual_;
};

}  // namespace preamble::PREAMBLE_ISA
