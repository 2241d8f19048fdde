// Numbers that are not finite, and where they came from.
#pragma once

#include <optional>
#include <string>

#include "engine/graph/graph.h"

namespace preamble {

/// The first node of a run that made an infinity or a NaN.
struct Anomaly {
  std::string op;
  std::string scope;  ///< where in the model the node stands; may be empty
  Phase phase = Phase::forward;
  double value = 0;  ///< the first such number
  /// Name of an operand that is a leaf and holds such a number itself; empty if there is none.
  std::string leaf;

  /// `nan from linear in encoder.block.3 (backward)`
  [[nodiscard]] std::string describe() const;
};

/// The first of `count` numbers of this type that is not finite; none if all are, and for types without such numbers.
[[nodiscard]] std::optional<double> first_not_finite(Dtype dtype, const void* values, std::int64_t count) noexcept;

}  // namespace preamble
