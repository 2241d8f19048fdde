#include <algorithm>

#include "engine/backend/cpu/norm_statistics.h"
#include "engine/backend/cpu/norm_width.h"
#include "engine/backend/cpu/partial_sums.h"
#include "engine/backend/cpu/round_row.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// One row of x, dy, dsum (or null) and dx (or null).
template <class T>
struct Row {
  const T* x;
  const T* dy;
  const T* dsum;
  T* dx;
};

/// Rows of matrices of T as a kernel computes with them.
template <class T>
class Rows {
 public:
  Rows(const KernelArguments& args, std::int64_t width) noexcept
      : x_(args.in[NormGrad::kInput].as<T>()),
        dy_(args.in[NormGrad::kGradient].as<T>()),
        dsum_(args.in.size() > NormGrad::kSumGradient ? args.in[NormGrad::kSumGradient].as<T>() : nullptr),
        dx_(args.out[0].as<T>()),
        width_(width) {}

  /// dx may lie over any of the others.
  [[nodiscard]] Row<Computed<T>> begin(std::int64_t r) noexcept {
    const std::int64_t at = r * width_;
    if constexpr (!kWidens) {
      return {x_ + at, dy_ + at, dsum_ != nullptr ? dsum_ + at : nullptr, dx_ != nullptr ? dx_ + at : nullptr};
    } else {
      float *x = wide_, *dy = wide_ + cpu::kMostNormWidth, *dsum = wide_ + 2 * cpu::kMostNormWidth;
      widen_row(x_ + at, x, width_);
      widen_row(dy_ + at, dy, width_);
      if (dsum_ != nullptr) widen_row(dsum_ + at, dsum, width_);
      return {x, dy, dsum_ != nullptr ? dsum : nullptr, dx_ != nullptr ? x : nullptr};
    }
  }
  /// The row's gradient has been made.
  void end(const Row<Computed<T>>& row, std::int64_t r) const noexcept {
    if constexpr (kWidens) round_row(row.dx, dx_ + r * width_, width_);
  }

 private:
  static constexpr bool kWidens = std::is_same_v<T, BFloat16>;
  const T *x_, *dy_, *dsum_;
  T* dx_;
  std::int64_t width_;
  alignas(64) float wide_[kWidens ? 3 * cpu::kMostNormWidth : 1];
};

/// dscale += dy x̂ and dbias += dy, where these are not null.
template <class T>
void add_parameter_gradients(const Row<T>& row, RowStatistics<T> s, T* dscale, T* dbias, std::int64_t n) {
  if (dscale != nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) dscale[i] += row.dy[i] * ((row.x[i] - s.mean) * s.rstd);
  }
  if (dbias != nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) dbias[i] += row.dy[i];
  }
}

/// dx = rstd (g - [mean(g)] - x̂ mean(g x̂)) + dsum with g = dy scale, or dy alone
template <bool scaled, class T>
void input_gradient(const Row<T>& row, RowStatistics<T> s, bool centered, const T* scale, std::int64_t n) {
  const T* x = row.x;
  const T* dy = row.dy;
  double sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
  for (std::int64_t i = 0; i < n; ++i) {
    const T g = scaled ? dy[i] * scale[i] : dy[i];
    sum += static_cast<double>(g);
    product += static_cast<double>(g) * static_cast<double>(x[i] - s.mean);
  }
  const double count = static_cast<double>(n), rstd = static_cast<double>(s.rstd);
  const T center = centered ? static_cast<T>(sum / count) : T(0);
  const T slope = static_cast<T>(product * rstd * rstd / count);
  const T* dsum = row.dsum;
  T* dx = row.dx;
  if (dsum == nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) dx[i] = s.rstd * ((scaled ? dy[i] * scale[i] : dy[i]) - center - (x[i] - s.mean) * slope);
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i)
      dx[i] = s.rstd * ((scaled ? dy[i] * scale[i] : dy[i]) - center - (x[i] - s.mean) * slope) + dsum[i];
  }
}

/// out[i] = Σ_b parts[b, i]
template <class T>
void add_parts(const T* parts, std::int64_t blocks, T* out, std::int64_t n) {
  parallel_for(n, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) out[i] = 0;
    for (std::int64_t b = 0; b < blocks; ++b) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) out[i] += parts[b * n + i];
    }
  });
}

}  // namespace

template <class T>
void norm_grad(const KernelArguments& args) {
  const auto& op = static_cast<const NormGrad&>(args.op);
  const View& x = args.in[NormGrad::kInput];
  using C = Computed<T>;
  const C* scale = args.in[NormGrad::kScale].as<C>();
  C* dscale = args.out[1].as<C>();
  C* dbias = args.out[2].as<C>();
  const std::int64_t n = x.width / op.parts;
  const std::int64_t rows = x.rows * op.parts;
  const std::int64_t block = norm_grad_block_rows(rows);
  const std::int64_t blocks = (rows + block - 1) / block;
  C* scale_parts = reinterpret_cast<C*>(args.workspace);
  C* bias_parts = scale_parts + (dscale != nullptr ? blocks * n : 0);
  parallel_for(rows, block, [&](std::int64_t begin, std::int64_t end) {
    C* scale_part = dscale != nullptr ? scale_parts + begin / block * n : nullptr;
    C* bias_part = dbias != nullptr ? bias_parts + begin / block * n : nullptr;
    for (std::int64_t i = 0; scale_part != nullptr && i < n; ++i) scale_part[i] = 0;
    for (std::int64_t i = 0; bias_part != nullptr && i < n; ++i) bias_part[i] = 0;
    Rows<T> of(args, n);
    for (std::int64_t r = begin; r < end; ++r) {
      const Row<C> row = of.begin(r);
      if (row.dx == nullptr && dscale == nullptr) {
        add_parameter_gradients(row, {C(0), C(0)}, scale_part, bias_part, n);
        continue;
      }
      const RowStatistics<C> s = statistics_of(op.kind, op.epsilon, row.x, n);
      add_parameter_gradients(row, s, scale_part, bias_part, n);
      if (row.dx == nullptr) continue;
      const bool centered = op.kind == NormKind::layer;
      if (scale != nullptr) {
        input_gradient<true>(row, s, centered, scale, n);
      } else {
        input_gradient<false>(row, s, centered, scale, n);
      }
      of.end(row, r);
    }
  });
  if (dscale != nullptr) add_parts(scale_parts, blocks, dscale, n);
  if (dbias != nullptr) add_parts(bias_parts, blocks, dbias, n);
}

template void norm_grad<float>(const KernelArguments&);
template void norm_grad<double>(const KernelArguments&);
template void norm_grad<BFloat16>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
