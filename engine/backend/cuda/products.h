// Matrix products on the GPU: the one place that knows cuBLASLt. Included by .cu files alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "engine/core/dtype.h"

namespace preamble::cuda {

/// What follows a product while it is written.
enum class Epilogue : std::uint8_t {
  none,
  bias,           ///< + bias[n]
  gelu_tanh,      ///< gelu_tanh(C + bias?) ; the sum itself goes to `kept` if that is given
  relu,           ///< max(0, C + bias?)
};

/// C [M, N] = alpha · op(A) op(B) + beta · C (then the epilogue), row-major with leading dimensions, as `cpu::Gemm`. Accumulates in float32.
struct Product {
  std::int64_t m = 0, n = 0, k = 0;
  Dtype a_type = Dtype::f32, b_type = Dtype::f32, c_type = Dtype::f32;
  const void* a = nullptr;
  std::int64_t lda = 0;
  bool transpose_a = false;
  const void* b = nullptr;
  std::int64_t ldb = 0;
  bool transpose_b = false;
  void* c = nullptr;
  std::int64_t ldc = 0;
  float alpha = 1;
  float beta = 0;
  Epilogue epilogue = Epilogue::none;
  /// [N], of type c_type or f32
  const void* bias = nullptr;
  Dtype bias_type = Dtype::f32;
  /// [M, N] with leading dimension ldc: the argument of the activation.
  void* kept = nullptr;
  /// Products of equal shape side by side, from one to the next these many elements apart.
  std::int64_t batch = 1;
  std::int64_t stride_a = 0, stride_b = 0, stride_c = 0;
};

/// Runs products in one stream. Algorithms are chosen once a shape and kept. float32 products use no TF32 unless `allow_tf32`.
class Products {
 public:
  /// `workspace`: device memory that cuBLASLt may use, `kWorkspaceBytes` of it.
  Products(cudaStream_t stream, void* workspace, bool allow_tf32);
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;
  ~Products();

  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20U;

  /// Throws DeviceError for a shape that cuBLASLt refuses, with the shape.
  void run(const Product& p);

 private:
  struct Plan;
  struct Key;
  struct Impl;
  Impl* impl_;
};

}  // namespace preamble::cuda
