// Matrix products on the GPU: no other file calls cuBLASLt. Included by .cu files alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <cuda_runtime_api.h>

#include "engine/core/dtype.h"

namespace preamble::cuda {

/// C [M, N] = f(alpha · op(A) op(B) + beta · addend + bias), row-major with leading dimensions. op transposes where asked: A is [M, K] or,
/// transposed, [K, M]; B is [K, N] or, transposed, [N, K]. A and B are of one type, float32 or bf16; sums are float32.
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
  /// [M, N], of C's type and leading dimension; null: C itself.
  const void* addend = nullptr;
  /// [N], of C's type; may be absent.
  const void* bias = nullptr;
  /// f is gelu_tanh, for bf16 alone.
  bool gelu_tanh = false;
  /// [M, N], of C's type and leading dimension: gets the argument of gelu_tanh. May be absent.
  void* kept = nullptr;
  /// [M, N], of C's type and leading dimension: the sum is multiplied with the slopes of gelu_tanh there. For bf16 without bias, addend and
  /// gelu_tanh alone; may be absent.
  const void* slope_of = nullptr;
  /// Products of equal shape, from one to the next these many elements apart.
  std::int64_t batch = 1;
  std::int64_t stride_a = 0, stride_b = 0, stride_c = 0;
};

/// May a product end in gelu_tanh? Else it is applied to the sum by a kernel of its own.
[[nodiscard]] constexpr bool fuses_gelu_tanh(Dtype type, std::int64_t n) noexcept { return type == Dtype::bf16 && n % 8 == 0; }

/// Runs products in one stream. The algorithm of a shape is chosen when it is met first, and kept: the first one of those that cuBLASLt's
/// heuristics name, unless a later one is clearly faster in a trial and makes the same bits there (no trial while the stream is captured). So
/// results do not depend on what trials measure: equal runs are equal bit by bit, in one process and in several. float32 products use no TF32
/// unless `allow_tf32`.
class Products {
 public:
  /// `workspace`: device memory that cuBLASLt may use, `kWorkspaceBytes` of it.
  Products(cudaStream_t stream, void* workspace, bool allow_tf32);
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;
  ~Products();

  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20U;

  /// Nothing happens without rows or columns; over no numbers (k = 0) the sum is 0. Throws DeviceError for a product that cuBLASLt refuses,
  /// with its shape.
  void run(const Product& p);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace preamble::cuda
