// An update of AdamW.
#pragma once

#include "engine/ops/update.h"

namespace preamble {

/// torch.optim.AdamW (Loshchilov & Hutter 2019).
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

/// With t = step + 1, g = scale·gradient, β1, β2, ε and the weight decay w:
///   m = β1·m + (1 - β1)·g,  v = β2·v + (1 - β2)·g²,
///   p = (1 - lr·w)·p - lr/(1 - β1ᵗ) · m / (√v/√(1 - β2ᵗ) + ε).
/// States: 0 m, 1 v, of the parameter's dimensions. Products and sums are rounded one by one, so that a parameter gets the same bits from
/// any instruction set.
class AdamW final : public UpdateOp {
 public:
  AdamW(std::size_t parameters, const AdamWOptions& given) : UpdateOp(parameters, 2), options(given) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "adamw"; }

  const AdamWOptions options;

 protected:
  [[nodiscard]] Dims state_dims(const Dims& parameter, std::size_t) const override { return parameter; }
  [[nodiscard]] double flops_per_element() const noexcept override { return 15; }
};

}  // namespace preamble
