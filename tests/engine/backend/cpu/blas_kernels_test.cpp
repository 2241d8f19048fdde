// Which of OpenBLAS's kernels run: see engine/backend/cpu/blas_kernels.h.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/backend/cpu/gemm.h"
#include "engine/core/random.h"

namespace blas_kernels_test {

using namespace preamble;

namespace {

std::vector<float> random_values(std::int64_t count, std::uint64_t seed) {
  std::vector<float> x(static_cast<std::size_t>(count));
  Random random(seed);
  for (float& value : x) value = random.normal();
  return x;
}

/// x [m, k] w [k, n], `columns` columns at a time.
std::vector<float> product(const std::vector<float>& x, const std::vector<float>& w, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t columns) {
  std::vector<float> y(static_cast<std::size_t>(m * n));
  for (std::int64_t first = 0; first < n; first += columns) {
    cpu::Gemm<float> p;
    p.m = m, p.n = std::min(columns, n - first), p.k = k;
    p.a = x.data(), p.lda = k;
    p.b = w.data() + first, p.ldb = n;
    p.c = y.data() + first, p.ldc = n;
    cpu::gemm(p);
  }
  return y;
}

}  // namespace

TEST_CASE("blas: a processor with AVX2 runs no kernels of older ones") {
#if defined(__x86_64__)
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
  const std::string kernels = cpu::gemm_description();
  CAPTURE(kernels);
  for (const char* old : {"Prescott", "Core2", "Nehalem", "Sandybridge", "Barcelona", "Unknown"}) CHECK(!kernels.ends_with(old));
#endif
}

// Those for AVX2 finish the last columns of a call in another order: equal up to rounding.
TEST_CASE("blas: sums do not depend on how many columns are multiplied at a time, with kernels for AVX-512 not by a bit") {
  const std::string kernels = cpu::gemm_description();
  CAPTURE(kernels);
  const bool exact = kernels.ends_with("SkylakeX") || kernels.ends_with("Cooperlake") || kernels.ends_with("SapphireRapids");
  for (const std::int64_t m : {5, 64, 200}) {
    for (const std::int64_t k : {16, 100, 640}) {
      constexpr std::int64_t kColumns = 192;
      const auto x = random_values(m * k, 1);
      const auto w = random_values(k * kColumns, 2);
      const auto whole = product(x, w, m, kColumns, k, kColumns);
      for (const std::int64_t columns : {64, 96}) {
        CAPTURE(m);
        CAPTURE(k);
        CAPTURE(columns);
        const auto parts = product(x, w, m, kColumns, k, columns);
        if (exact) CHECK(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)) == 0);
        // each sum of k products of normal numbers is wrong by γ_k Σ |x w|, and Σ |x w| is hardly above k
        const float bound = 4e-7F * static_cast<float>(k * k);
        for (std::size_t i = 0; i < whole.size(); ++i) REQUIRE(std::abs(whole[i] - parts[i]) <= bound);
      }
    }
  }
}

}  // namespace blas_kernels_test
