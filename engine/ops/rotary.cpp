#include "engine/ops/rotary.h"

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "engine/ops/checks.h"

namespace preamble {

std::vector<Type> RotaryAngles::infer(const OperandTypes& operands) const {
  require_indices(*this, operands, kPositions, "positions");
  require<ConfigError>(!frequencies.empty() && std::ranges::all_of(frequencies, [](double f) { return std::isfinite(f); }) && std::isfinite(factor),
                       "rotary_angles: {} frequencies with the factor {} were given; wanted finite ones", frequencies.size(), factor);
  if (grows()) {
    require_indices(*this, operands, kCounts, "counts");
    require<ShapeError>(operands[kCounts].rows == operands[kPositions].rows, "rotary_angles: counts are {} and positions {}; wanted the same rows",
                        operands.graph.describe(operands[kCounts]), operands.graph.describe(operands[kPositions]));
    require<ConfigError>(std::isfinite(growth.factor) && growth.factor >= 1 && std::isfinite(growth.original_length) && frequencies.size() > 1,
                         "rotary_angles: a factor of {} for sequences longer than {} and {} frequencies were given; wanted 1 or more, and two of them",
                         growth.factor, growth.original_length, frequencies.size());
  }
  return {{operands.graph.statistic(), operands[kPositions].rows, {2 * static_cast<std::int64_t>(frequencies.size())}}};
}

double RotaryAngles::flops(const NodeCost& cost) const {
  constexpr double kSineOrCosine = 20;
  return kSineOrCosine * elements(cost.graph, cost.output(0));
}

std::vector<Type> Rotary::infer(const OperandTypes& operands) const {
  require_rows(*this, operands, kInput, "x");
  require_rows(*this, operands, kAngles, "angles");
  const Type& x = operands[kInput];
  const Type& angles = operands[kAngles];
  require<ConfigError>(heads > 0 && x.width() % heads == 0, "rotary: x is {} and {} heads were given; wanted a width that they divide",
                       operands.graph.describe(x), heads);
  require<ShapeError>(angles.rows == x.rows && angles.width() % 2 == 0 && angles.width() <= x.width() / heads,
                      "rotary: angles are {} and x is {}; wanted its rows and an even number of at most {}", operands.graph.describe(angles),
                      operands.graph.describe(x), x.width() / heads);
  require<DtypeError>(angles.dtype == operands.graph.statistic(), "rotary: angles are {}; wanted {}", operands.graph.describe(angles),
                      name_of(operands.graph.statistic()));
  return {x};
}

std::vector<Value> Rotary::gradients(const GradientRequest& request) const {
  require<UnsupportedError>(!request.wanted[kAngles], "rotary: a gradient for operand 'angles' was asked for; there is none");
  const Value dx = request.graph.add(std::make_shared<Rotary>(heads, !inverse), {request.output_gradients[0], request.input(kAngles)});
  return {dx, {}};
}

double Rotary::flops(const NodeCost& cost) const {
  constexpr double kPair = 6;
  return kPair / 2 * static_cast<double>(heads) * elements(cost.graph, cost.input(kAngles));
}

Value rotary_angles(Value positions, std::vector<double> frequencies, double factor) {
  return positions.graph->add(std::make_shared<RotaryAngles>(std::move(frequencies), factor), {positions});
}

Value rotary_angles(Value positions, Value counts, std::vector<double> frequencies, double factor, const RotaryGrowth& growth) {
  require<ConfigError>(growth.original_length > 0, "rotary_angles: an original length of {} was given; wanted more than 0", growth.original_length);
  return positions.graph->add(std::make_shared<RotaryAngles>(std::move(frequencies), factor, growth), {positions, counts});
}

Value rotary(Value x, Value angles, std::int64_t heads) { return x.graph->add(std::make_shared<Rotary>(heads, false), {x, angles}); }

}  // namespace preamble
