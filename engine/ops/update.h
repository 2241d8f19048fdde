// What the updates of all optimizers share: one node updates a list of parameters in place.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/graph/op.h"

namespace preamble {

/// Scalars that an update reads.
struct UpdateScalars {
  Value scale;          ///< real []: gradients are multiplied by it first; NaN: nothing is updated (see gradient_norm)
  Value learning_rate;  ///< f64 []
  Value step;           ///< i64 []: updates made before this one
};

/// A parameter, its gradient, and what the optimizer keeps for it: leaves of equal real type, of which value and states are updated.
struct UpdateOperands {
  Value value;
  Value gradient;
  std::vector<Value> states;
};

/// Operands 0 scale, 1 learning rate, 2 step; then, for each parameter, value, gradient and states. Outputs: for each parameter value and
/// states, which are the memory of the operands. No gradient.
class UpdateOp : public Op {
 public:
  static constexpr std::size_t kScale = 0, kLearningRate = 1, kStep = 2, kFirst = 3;

  UpdateOp(std::size_t parameters, std::size_t states) : parameters_(parameters), states_(states) {}

  [[nodiscard]] std::size_t parameters() const noexcept { return parameters_; }
  /// Number of the i-th parameter's value among the operands; its gradient and its states follow.
  [[nodiscard]] std::size_t operand(std::size_t i) const noexcept { return kFirst + i * (2 + states_); }

  /// Throws ShapeError, DtypeError if operands are absent or do not fit each other.
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const final;
  [[nodiscard]] std::vector<Alias> aliases() const final;
  [[nodiscard]] double flops(const NodeCost& cost) const final;

 protected:
  /// Dimensions of the `state`-th state of a parameter.
  [[nodiscard]] virtual Dims state_dims(const Dims& parameter, std::size_t state) const = 0;
  /// Operations for each element of a parameter.
  [[nodiscard]] virtual double flops_per_element() const noexcept = 0;

 private:
  std::size_t parameters_;
  std::size_t states_;
};

/// Appends the node and marks the updated parameters as results `updated.0`, `updated.1`, ... of the graph.
void append_update(std::shared_ptr<const UpdateOp> op, const UpdateScalars& scalars, std::span<const UpdateOperands> parameters);

}  // namespace preamble
