// How alike two gradients point.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace preamble::testing {

/// a · b / (‖a‖ ‖b‖)
[[nodiscard]] inline double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace preamble::testing
