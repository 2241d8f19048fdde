// An update of Adafactor.
#pragma once

#include "engine/ops/update.h"

namespace preamble {

/// Adafactor as t5x runs it for prompt tuning (Shazeer & Stern 2018; Lester et al. 2021): no momentum.
struct AdafactorOptions {
  double decay_rate = 0.8;
  /// Global step of the first update: t5x resumes the backbone's count. With 0 the first d is 0.
  std::int64_t step_offset = 1'100'000;
  double clip_threshold = 1.0;
  double epsilon = 1e-30;
  double weight_decay = 0;
  std::int64_t factored_from = 128;
  /// Multiply the learning rate by the parameter's own scale, as t5x does where it trains a whole model.
  bool scale_parameter = false;

  /// Whether a parameter has a state for each row and each column: a matrix with both dimensions at least `factored_from`.
  [[nodiscard]] bool factored(const Dims& dims) const noexcept {
    return dims.size() == 2 && dims[0] >= factored_from && dims[1] >= factored_from;
  }
};

/// At the global step t = step + step_offset the decay is d = 1 - (t + 1)^-decay_rate. With g = scale·gradient:
///   factored:  r = d·r + (1 - d)·(mean of g² + ε over each row),  c the same over each column,
///              y_ij = g_ij · (r_i / mean r)^-½ · c_j^-½  (the two roots apart: their squares' product may be 0 where neither is);
///   else:      v = d·v + (1 - d)·(g² + ε),  y = g / √v;
///   y = y / max(1, RMS(y) / clip_threshold),  p = (1 - weight_decay)·p - lr·y: the decay is not multiplied by the learning rate.
/// With `scale_parameter` lr is multiplied by max(10^-3, RMS(p)), p before the update (Shazeer & Stern 2018, algorithm 5: α_t).
/// Where r, c or v is 0 (ε = 0, and no gradient so far) y is 0.
/// States: 0 r [rows], 1 c [columns], 2 v of the parameter's dimensions; those that a parameter does not have are [0].
class Adafactor final : public UpdateOp {
 public:
  Adafactor(std::size_t parameters, const AdafactorOptions& given) : UpdateOp(parameters, 3), options(given) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "adafactor"; }
  /// As the class says, for state 0, 1 or 2.
  [[nodiscard]] Dims state_dims(const Dims& parameter, std::size_t state) const override;

  /// The smallest scale of a parameter.
  static constexpr double kSmallestScale = 1e-3;

  const AdafactorOptions options;

 protected:
  [[nodiscard]] double flops_per_element() const noexcept override { return 14; }
};

}  // namespace preamble
