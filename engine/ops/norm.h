// Normalisation of rows, with the sum that comes before it.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

enum class NormKind : std::uint8_t { rms, layer };

/// y[r, :] = x[r, :] rstd[r] scale,  rstd[r] = 1 / √(mean(x[r, :]²) + epsilon)     (Zhang & Sennrich 2019, eq. 4)
///
///   x [rows, D], scale [D] (may be absent: 1) -> y [rows, D]
///
/// Gradients read x and scale; rstd is computed again. Row-wise. y may overwrite x.
Value rms_norm(Value x, Value scale, double epsilon);

/// y[r, :] = (x[r, :] - mean[r]) rstd[r] scale + bias,  rstd[r] = 1 / √(var(x[r, :]) + epsilon)     (Ba et al. 2016)
///
///   x [rows, D], scale [D] (may be absent: 1), bias [D] (may be absent: 0) -> y [rows, D]
Value layer_norm(Value x, Value scale, Value bias, double epsilon);

/// rms_norm of each of `parts` blocks of columns by itself: x [rows, parts·d], scale [d]. (Queries and keys of one head each.)
Value rms_norm_of_parts(Value x, Value scale, double epsilon, std::int64_t parts);

/// sum = x + residual and y = norm(sum).
struct NormAndSum {
  Value y;
  Value sum;
};

/// As above with x + residual [rows, D] in place of x. sum may overwrite x or residual. The gradient reads sum.
NormAndSum add_rms_norm(Value x, Value residual, Value scale, double epsilon);
NormAndSum add_layer_norm(Value x, Value residual, Value scale, Value bias, double epsilon);

/// Outputs 0 y and, with a residual, 1 sum.
class Norm final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kScale = 1, kBias = 2, kResidual = 3;

  /// `adds`: operand residual is given. `parts`: blocks of columns that are rows of their own.
  Norm(NormKind k, double eps, bool has_residual, std::int64_t blocks = 1) : kind(k), epsilon(eps), adds(has_residual), parts(blocks) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "norm"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kInput | 1U << kResidual, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return !adds; }
  [[nodiscard]] std::vector<Alias> aliases() const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const NormKind kind;
  const double epsilon;
  const bool adds;
  const std::int64_t parts;
};

/// With x̂ = (x - mean) rstd (mean = 0 for rms) and g = dy scale:
///
///   dx     = rstd (g - [mean(g)] - x̂ mean(g x̂)) + dsum      [mean(g)] for layer alone
///   dscale = Σ_rows dy x̂,   dbias = Σ_rows dy
///
/// Operands 0 x (what was normalised: x, or sum), 1 scale (optional), 2 dy, 3 dsum (optional: the gradient that arrives at the
/// sum from elsewhere). Outputs 0 dx, 1 dscale, 2 dbias. dx may overwrite x, dy or dsum.
class NormGrad final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kScale = 1, kGradient = 2, kSumGradient = 3;

  NormGrad(NormKind k, double eps, std::int64_t blocks) : kind(k), epsilon(eps), parts(blocks) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "norm_grad"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kInput | 1U << kGradient | 1U << kSumGradient, Alignment::Reads::row}; }
  [[nodiscard]] std::vector<Alias> aliases() const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const NormKind kind;
  const double epsilon;
  const std::int64_t parts;
};

}  // namespace preamble
