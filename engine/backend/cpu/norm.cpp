#include "engine/ops/norm.h"

#include <algorithm>
#include <cmath>

#include "engine/backend/cpu/norm_statistics.h"
#include "engine/backend/cpu/norm_width.h"
#include "engine/backend/cpu/round_row.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// y = (x - mean) rstd scale + bias for one row; y may be x.
template <class T>
void normalise(const T* x, RowStatistics<T> s, const T* scale, const T* bias, T* y, std::int64_t n) {
  if (scale != nullptr && bias != nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - s.mean) * s.rstd * scale[i] + bias[i];
  } else if (scale != nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - s.mean) * s.rstd * scale[i];
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - s.mean) * s.rstd + (bias != nullptr ? bias[i] : T(0));
  }
}

}  // namespace

template <class T>
void norm(const KernelArguments& args) {
  const auto& op = static_cast<const Norm&>(args.op);
  const View& x = args.in[Norm::kInput];
  const T* scale = args.in.size() > Norm::kScale ? args.in[Norm::kScale].as<T>() : nullptr;
  const T* bias = args.in.size() > Norm::kBias ? args.in[Norm::kBias].as<T>() : nullptr;
  const T* residual = op.adds ? args.in[Norm::kResidual].as<T>() : nullptr;
  T* y = args.out[0].as<T>();
  T* sum = op.adds ? args.out[1].as<T>() : nullptr;
  const std::int64_t n = x.width / op.parts;
  parallel_for(x.rows * op.parts, std::max<std::int64_t>(1, (1 << 13) / std::max<std::int64_t>(1, n)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* row = x.as<T>() + r * n;
      if (residual != nullptr) {
        const T* other = residual + r * n;
        T* both = (sum != nullptr ? sum : y) + r * n;
#pragma omp simd
        for (std::int64_t i = 0; i < n; ++i) both[i] = row[i] + other[i];
        row = both;
      }
      if (y != nullptr) normalise(row, statistics_of(op.kind, op.epsilon, row, n), scale, bias, y + r * n, n);
    }
  });
}

/// A row is float32 numbers on the stack from when it is read until it is written.
template <>
void norm<BFloat16>(const KernelArguments& args) {
  const auto& op = static_cast<const Norm&>(args.op);
  const View& x = args.in[Norm::kInput];
  const auto operand = [&](std::size_t i) { return i < args.in.size() ? args.in[i] : View{}; };
  const float* scale = operand(Norm::kScale).as<const float>();
  const float* bias = operand(Norm::kBias).as<const float>();
  const auto* residual = op.adds ? args.in[Norm::kResidual].as<const BFloat16>() : nullptr;
  auto* y = args.out[0].as<BFloat16>();
  auto* sum = op.adds ? args.out[1].as<BFloat16>() : nullptr;
  const std::int64_t n = x.width / op.parts;
  parallel_for(x.rows * op.parts, std::max<std::int64_t>(1, (1 << 13) / std::max<std::int64_t>(1, n)), [&](std::int64_t begin, std::int64_t end) {
    alignas(64) float row[cpu::kMostNormWidth];
    for (std::int64_t at = begin * n; at < end * n; at += n) {
      widen_row(x.as<const BFloat16>() + at, row, n);
      if (residual != nullptr) {
#pragma omp simd
        for (std::int64_t i = 0; i < n; ++i) row[i] += widen(residual[at + i]);
        if (sum != nullptr) round_row(row, sum + at, n);
      }
      if (y == nullptr) continue;
      normalise<float>(row, statistics_of<float>(op.kind, op.epsilon, row, n), scale, bias, row, n);
      round_row(row, y + at, n);
    }
  });
}

template void norm<float>(const KernelArguments&);
template void norm<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
