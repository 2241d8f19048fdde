// Operands of trial products. Included by .cu files alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime_api.h>

#include "engine/backend/cuda/memory.h"
#include "engine/backend/cuda/products.h"

namespace preamble::cuda {

/// Operands of a product's shape in device memory of their own, filled with made-up numbers, and two results to compare.
class ProductTrial {
 public:
  ProductTrial(const Product& p, cudaStream_t stream);
  /// False: there is not enough memory.
  [[nodiscard]] explicit operator bool() const noexcept { return memory_.data() != nullptr; }
  /// The product with operands of the trial; result 0 or 1.
  [[nodiscard]] const Product& with_result(int i) noexcept;
  /// Do both results hold the same bits? Waits for the stream. Throws DeviceError.
  [[nodiscard]] bool results_are_equal() const;

 private:
  cudaStream_t stream_;
  Product product_;
  DeviceMemory memory_;
  std::byte* results_[2] = {};
  std::byte* kept_[2] = {};
  std::int64_t result_bytes_ = 0;
  std::uint32_t* differences_ = nullptr;
};

}  // namespace preamble::cuda
