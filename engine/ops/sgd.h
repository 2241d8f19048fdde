// An update of stochastic gradient descent.
#pragma once

#include "engine/ops/update.h"

namespace preamble {

/// torch.optim.SGD.
struct SgdOptions {
  double momentum = 0;
  double weight_decay = 0;
};

/// With g = scale·gradient + weight_decay·p:  u = momentum·u + g,  p = p - lr·u. State: 0 u, of the parameter's dimensions; without
/// momentum none, and u = g.
class Sgd final : public UpdateOp {
 public:
  Sgd(std::size_t parameters, const SgdOptions& given) : UpdateOp(parameters, given.momentum != 0 ? 1 : 0), options(given) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "sgd"; }

  const SgdOptions options;

 protected:
  [[nodiscard]] Dims state_dims(const Dims& parameter, std::size_t) const override { return parameter; }
  [[nodiscard]] double flops_per_element() const noexcept override { return options.momentum != 0 ? 7 : 5; }
};

}  // namespace preamble
