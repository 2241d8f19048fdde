// Rotary positions: columns of each head turned by angles that grow with a row's position.
#pragma once

#include <vector>

#include "engine/graph/op.h"

namespace preamble {

/// a[r, i] = factor · cos(p f_i),  a[r, m + i] = factor · sin(p f_i),  p = positions[r], i < m
///
///   positions    i32 [rows]
///   frequencies  f [m], factor: `rotary_frequencies`
///   a            [rows, 2m] of the graph's statistic type; angles are computed in double
///
/// One value serves all layers. No gradient: positions are whole numbers. Row-wise in positions.
/// Throws ShapeError, DtypeError; ConfigError unless there is a frequency and all are finite.
Value rotary_angles(Value positions, std::vector<double> frequencies, double factor);

/// How sequences that are longer than those of the pretraining are turned (dynamic NTK): one of n positions, n > L, has the frequencies
///
///   f_i s^(-i/(m-1)),   s = F n/L - (F - 1)
///
/// which are those of a base theta s^(r/(r-2)) for r = 2m turned columns. With n <= L they are f_i.
struct RotaryGrowth {
  double factor = 1;           ///< F
  double original_length = 0;  ///< L; 0: frequencies do not depend on the length

  /// s of a sequence of n positions; 1 where its frequencies are f_i.
  [[nodiscard]] double ratio(double n) const noexcept { return n > original_length ? factor * n / original_length - (factor - 1) : 1; }
  bool operator==(const RotaryGrowth&) const = default;
};

/// The same with lengths n = counts[r]: i32 in the rows of `positions`. ConfigError also unless L > 0, F >= 1 and m > 1.
Value rotary_angles(Value positions, Value counts, std::vector<double> frequencies, double factor, const RotaryGrowth& growth);

/// Each head of x is turned: for the pairs of columns (i, m + i), i < m, with c = a[r, i], s = a[r, m + i]
///   y[i] = c x[i] - s x[m + i],   y[m + i] = c x[m + i] + s x[i]          (Su et al. 2021, eq. 34, in halves)
/// Columns from 2m on are copied.
///
///   x       [rows, heads·d], d >= 2m
///   angles  [rows, 2m]: `rotary_angles`, in the rows of x
///   y       [rows, heads·d]; may overwrite x
///
/// Gradient: the same with -s on dy; nothing but the angles is kept. Row-wise in both: whatever rows a pass gathers, each keeps its position.
/// Throws ShapeError, DtypeError, ConfigError (heads).
Value rotary(Value x, Value angles, std::int64_t heads);

class RotaryAngles final : public Op {
 public:
  static constexpr std::size_t kPositions = 0, kCounts = 1;

  RotaryAngles(std::vector<double> given, double length, const RotaryGrowth& grown = {})
      : frequencies(std::move(given)), factor(length), growth(grown) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "rotary_angles"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] Alignment aligned() const noexcept override {
    return {grows() ? 1U << kPositions | 1U << kCounts : 1U << kPositions, Alignment::Reads::row};
  }
  [[nodiscard]] double flops(const NodeCost& cost) const override;
  /// Is there an operand `counts`?
  [[nodiscard]] bool grows() const noexcept { return growth.original_length > 0; }

  const std::vector<double> frequencies;
  const double factor;
  const RotaryGrowth growth;
};

class Rotary final : public Op {
 public:
  static constexpr std::size_t kInput = 0, kAngles = 1;

  /// `backwards`: with -s.
  Rotary(std::int64_t parts, bool backwards) : heads(parts), inverse(backwards) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "rotary"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kInput | 1U << kAngles, Alignment::Reads::row}; }
  [[nodiscard]] bool cheap() const noexcept override { return true; }
  [[nodiscard]] std::vector<Alias> aliases() const override { return {{0, kInput}}; }
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const std::int64_t heads;
  const bool inverse;
};

}  // namespace preamble
