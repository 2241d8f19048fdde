// Dropout whose masks are functions of counters: never stored, and the same wherever they are made again.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/graph/op.h"

namespace preamble {

/// y[r, c] = x[r, c] m[r, c] / (1 - rate),  m = 1 with probability 1 - rate, else 0     (Srivastava et al. 2014)
///
///   x    [rows, D]
///   key  i32 [2]     random bits of this run: another mask for each
///   y    [rows, D]
///
/// m is Philox (Salmon et al. 2011) of the key, `stream`, the row's place and c. So a row has the same mask in every subset of its row
/// space (`Graph::subset`). Nodes of one graph differ by their stream. The gradient is the same op on dy: nothing is kept but the key.
/// Row-wise, as far as a row keeps its place. y may overwrite x.
/// Throws ConfigError unless 0 <= rate < 1. With rate 0 this is x itself.
Value dropout(Value x, Value key, double rate, std::uint32_t stream);

/// Operands 0 x, 1 key.
class Dropout final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kKey = 1;

  Dropout(double probability, std::uint32_t number) : rate(probability), stream(number) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "dropout"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kInput, Alignment::Reads::row_and_place}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, 0}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const double rate;
  const std::uint32_t stream;
};

}  // namespace preamble
