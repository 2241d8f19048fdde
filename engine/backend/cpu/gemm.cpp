#include "engine/backend/cpu/gemm.h"

#include <algorithm>
#include <mutex>

#include <cblas.h>

#include "engine/backend/cpu/blas_kernels.h"
#include "engine/core/parallel.h"

namespace preamble::cpu {
namespace {

constexpr CBLAS_TRANSPOSE flag(bool transpose) noexcept { return transpose ? CblasTrans : CblasNoTrans; }

// Our tasks are the only threads: OpenBLAS itself must not start any.
void use_one_thread() {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });
}

blasint narrow(std::int64_t x) noexcept { return static_cast<blasint>(x); }

}  // namespace

void gemm(const Gemm<float>& p) {
  use_one_thread();
  if (p.m == 0 || p.n == 0) return;
  cblas_sgemm(CblasRowMajor, flag(p.transpose_a), flag(p.transpose_b), narrow(p.m), narrow(p.n), narrow(p.k), p.alpha, p.a,
              narrow(std::max<std::int64_t>(p.lda, 1)), p.b, narrow(std::max<std::int64_t>(p.ldb, 1)), p.beta, p.c, narrow(p.ldc));
}

void gemm(const Gemm<double>& p) {
  use_one_thread();
  if (p.m == 0 || p.n == 0) return;
  cblas_dgemm(CblasRowMajor, flag(p.transpose_a), flag(p.transpose_b), narrow(p.m), narrow(p.n), narrow(p.k), p.alpha, p.a,
              narrow(std::max<std::int64_t>(p.lda, 1)), p.b, narrow(std::max<std::int64_t>(p.ldb, 1)), p.beta, p.c, narrow(p.ldc));
}

std::int64_t panel_rows(std::int64_t m) noexcept {
  // every panel packs B again, so panels should be high; but two tasks at least should share the work
  constexpr std::int64_t kHighest = 768;
  const std::int64_t panels = std::max<std::int64_t>(2, (m + kHighest - 1) / kHighest);
  const std::int64_t even = panels + panels % 2;
  return std::max<std::int64_t>(16, ((m + even - 1) / even + 15) / 16 * 16);
}

template <class T>
void parallel_gemm(const Gemm<T>& p) {
  parallel_for(p.m, panel_rows(p.m), [&](std::int64_t begin, std::int64_t end) {
    Gemm<T> panel = p;
    panel.m = end - begin;
    panel.a += p.transpose_a ? begin : begin * p.lda;
    panel.c += begin * p.ldc;
    gemm(panel);
  });
}

template void parallel_gemm<float>(const Gemm<float>&);
template void parallel_gemm<double>(const Gemm<double>&);

std::string gemm_description() {
  choose_blas_kernels();
  return std::string(openblas_get_config()) + " / " + openblas_get_corename();
}

}  // namespace preamble::cpu
