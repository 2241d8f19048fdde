#include "engine/ops/update.h"

#include <utility>

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {
namespace {

void require_operand_type(const UpdateOp& op, const OperandTypes& operands, std::size_t index, std::string_view operand, const Type& type) {
  require<ShapeError>(operands.has(index) && operands[index] == type, "{}: {} is {}; wanted {}", op.name(), operand,
                      operands.has(index) ? operands.graph.describe(operands[index]) : "absent", operands.graph.describe(type));
}

}  // namespace

std::vector<Type> UpdateOp::infer(const OperandTypes& operands) const {
  require<ShapeError>(parameters_ > 0 && operands.size() == operand(parameters_), "{}: {} operands were given for {} parameters; wanted {}",
                      name(), operands.size(), parameters_, operand(parameters_));
  const Dtype real = operands.graph.real();
  require_operand_type(*this, operands, kScale, "scale", {real, kNoRows, {}});
  require_operand_type(*this, operands, kLearningRate, "learning rate", {Dtype::f64, kNoRows, {}});
  require_operand_type(*this, operands, kStep, "step", {Dtype::i64, kNoRows, {}});
  std::vector<Type> outputs;
  for (std::size_t i = 0; i < parameters_; ++i) {
    const std::size_t value = operand(i);
    require<ShapeError>(operands.has(value) && !operands[value].has_rows(), "{}: parameter {} is {}; wanted a value without a row space",
                        name(), i, operands.has(value) ? operands.graph.describe(operands[value]) : "absent");
    const Type type{real, kNoRows, operands[value].dims};
    require_operand_type(*this, operands, value, "a parameter", type);
    require_operand_type(*this, operands, value + 1, "a gradient", type);
    outputs.push_back(type);
    for (std::size_t s = 0; s < states_; ++s) {
      outputs.push_back({real, kNoRows, state_dims(type.dims, s)});
      require_operand_type(*this, operands, value + 2 + s, "a state", outputs.back());
    }
  }
  return outputs;
}

std::vector<Alias> UpdateOp::aliases() const {
  std::vector<Alias> aliases;
  for (std::size_t i = 0; i < parameters_; ++i) {
    for (std::size_t k = 0; k <= states_; ++k) {
      const std::size_t input = operand(i) + (k == 0 ? 0 : 1 + k);
      aliases.push_back({static_cast<std::int32_t>(i * (1 + states_) + k), static_cast<std::int32_t>(input), true});
    }
  }
  return aliases;
}

double UpdateOp::flops(const NodeCost& cost) const {
  double sum = 0;
  for (std::size_t i = 0; i < parameters_; ++i) sum += flops_per_element() * elements(cost.graph, cost.input(operand(i)));
  return sum;
}

void append_update(std::shared_ptr<const UpdateOp> op, const UpdateScalars& scalars, std::span<const UpdateOperands> parameters) {
  Graph& graph = *scalars.scale.graph;
  std::vector<Value> inputs = {scalars.scale, scalars.learning_rate, scalars.step};
  for (const auto& parameter : parameters) {
    inputs.push_back(parameter.value);
    inputs.push_back(parameter.gradient);
    inputs.insert(inputs.end(), parameter.states.begin(), parameter.states.end());
  }
  const Value first = graph.add(std::move(op), std::move(inputs));
  const std::size_t outputs = graph.node(first).outputs.size() / parameters.size();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    graph.output(fmt::format("updated.{}", i), {first.graph, first.node, static_cast<std::int32_t>(i * outputs)});
  }
}

}  // namespace preamble
