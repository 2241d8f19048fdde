#include "engine/ops/disentangled_position.h"

#include <algorithm>
#include <cmath>

namespace preamble {

std::int32_t disentangled_position_row(std::int64_t delta, const DisentangledPositions& positions) noexcept {
  const std::int64_t middle = positions.buckets / 2;
  const std::int64_t distance = std::min<std::int64_t>(delta < 0 ? -delta : delta, positions.max_distance);
  std::int64_t bucket = distance;
  if (positions.buckets > 0 && distance > middle) {
    // each step rounds to float, as the tensor arithmetic of the reference does; its quotient of the range is a double first
    const auto range = static_cast<float>(static_cast<double>(positions.max_distance - 1) / static_cast<double>(middle));
    const float ratio = static_cast<float>(distance) / static_cast<float>(middle);
    bucket = middle + static_cast<std::int64_t>(std::ceil(std::log(ratio) / std::log(range) * static_cast<float>(middle - 1)));
  }
  const std::int64_t span = positions.span();
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(span + (delta < 0 ? -bucket : bucket), 0, 2 * span - 1));
}

}  // namespace preamble
