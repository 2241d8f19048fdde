// Matrix products: no other file calls BLAS.
#pragma once

#include <cstdint>
#include <string>

namespace preamble::cpu {

/// C [M, N] = alpha · op(A) op(B) + beta · C, row-major with leading dimensions. op transposes where asked:
/// A is [M, K] or, transposed, [K, M]; B is [K, N] or, transposed, [N, K].
template <class T>
struct Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  std::int64_t lda = 0;
  bool transpose_a = false;
  const T* b = nullptr;
  std::int64_t ldb = 0;
  bool transpose_b = false;
  T* c = nullptr;
  std::int64_t ldc = 0;
  T alpha = 1;
  T beta = 0;
};

/// Computes on the calling thread alone: for use inside `parallel_for`.
void gemm(const Gemm<float>& p);
void gemm(const Gemm<double>& p);

/// Rows of a panel that `parallel_gemm` gives to one task: a function of the shape alone, so that results do not depend
/// on the number of threads.
[[nodiscard]] std::int64_t panel_rows(std::int64_t m) noexcept;

/// Splits the rows of C into panels. Not for use inside `parallel_for`.
template <class T>
void parallel_gemm(const Gemm<T>& p);

/// Library, version and kernel in use, as `OpenBLAS 0.3.21 Cooperlake`.
[[nodiscard]] std::string gemm_description();

}  // namespace preamble::cpu
