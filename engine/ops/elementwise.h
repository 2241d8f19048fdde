// Sums, products and scalings of whole values. All take values of the graph's real type, with or without rows.
#pragma once

#include "engine/graph/op.h"

namespace preamble {

/// y = a + b, of one type.  Gradients: dy for both; nothing is kept. Row-wise. y may overwrite either.
Value add(Value a, Value b);

/// y = a ∘ b, of one type.  Gradients: da = dy ∘ b, db = dy ∘ a. Row-wise. y may overwrite either.
Value multiply(Value a, Value b);

/// y = factor · x.  Gradient: dx = factor · dy; nothing is kept. Row-wise. y may overwrite x.
Value scale(Value x, double factor);

/// y = s x with a scalar s.  Gradients: dx = s dy, ds = dot(dy, x). Row-wise in x. y may overwrite x.
/// Where s is a `constant` of 1, this is x itself.
Value scale_by(Value x, Value s);

/// A scalar known when the graph is built.
Value constant(Graph& graph, double value);

/// Σ x ∘ y over all elements: a scalar, summed in double.  Gradients: dx = d y, dy = d x.
Value dot(Value x, Value y);

class Add final : public Op {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "add"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {0b11, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, 0}, {0, 1}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;
};

class Multiply final : public Op {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "multiply"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {0b11, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, 0}, {0, 1}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;
};

class Scale final : public Op {
 public:
  explicit Scale(double f) : factor(f) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "scale"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, 0}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const double factor;
};

/// Operands 0 x, 1 s.
class ScaleBy final : public Op {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "scale_by"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, 0}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;
};

class Constant final : public Op {
 public:
  Constant(Dtype dtype, double number) : real(dtype), value(number) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "constant"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] bool cheap() const noexcept override { return true; }

  const Dtype real;
  const double value;
};

class Dot final : public Op {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "dot"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;
};

}  // namespace preamble
