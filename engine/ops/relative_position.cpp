#include "engine/ops/relative_position.h"

#include <algorithm>
#include <cmath>

namespace preamble {

std::int32_t relative_position_bucket(std::int64_t delta, const RelativePositions& positions, std::int64_t buckets) noexcept {
  std::int64_t first = 0;
  std::int64_t distance = std::max<std::int64_t>(-delta, 0);
  if (positions.bidirectional) {
    buckets /= 2;
    first = delta > 0 ? buckets : 0;
    distance = delta > 0 ? delta : -delta;
  }
  const std::int64_t exact = buckets / 2;
  if (distance < exact) return static_cast<std::int32_t>(first + distance);
  // each step rounds to float, as the tensor arithmetic of the reference does; its logarithm of the range is a double first
  const auto range = static_cast<float>(std::log(static_cast<double>(positions.max_distance) / static_cast<double>(exact)));
  const float ratio = static_cast<float>(distance) / static_cast<float>(exact);
  const float steps = std::log(ratio) / range * static_cast<float>(buckets - exact);
  return static_cast<std::int32_t>(first + std::min(exact + static_cast<std::int64_t>(steps), buckets - 1));
}

}  // namespace preamble
