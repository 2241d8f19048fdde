#include "models/rotary_frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace preamble {
namespace {

double for_llama3(double f, const RotaryOptions& o) {
  const double wave = 2 * std::numbers::pi / f;
  if (wave < o.original_length / o.high) return f;
  if (wave > o.original_length / o.low) return f / o.factor;
  const double smooth = (o.original_length / wave - o.low) / (o.high - o.low);
  return (1 - smooth) * f / o.factor + smooth * f;
}

/// The pair that turns `rotations` times within the original length.
double yarn_pair(double rotations, const RotaryOptions& o) {
  return static_cast<double>(o.columns) * std::log(o.original_length / (2 * std::numbers::pi * rotations)) / (2 * std::log(o.theta));
}

double for_yarn(double f, std::int64_t i, const RotaryOptions& o) {
  double a = yarn_pair(o.beta_fast, o);
  double b = yarn_pair(o.beta_slow, o);
  if (o.whole_bounds) a = std::floor(a), b = std::ceil(b);
  a = std::max(a, 0.0);
  b = std::min(b, static_cast<double>(o.columns - 1));
  constexpr double kNarrow = 0.001;  // as transformers avoids to divide by zero
  if (a == b) b += kNarrow;
  const double t = std::clamp((static_cast<double>(i) - a) / (b - a), 0.0, 1.0);
  return f * (1 - t) + f / o.factor * t;
}

}  // namespace

std::vector<double> rotary_frequencies(const RotaryOptions& options) {
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < options.columns / 2; ++i) {
    double f = std::pow(options.theta, -2.0 * static_cast<double>(i) / static_cast<double>(options.columns));
    switch (options.scaling) {
      case RotaryScaling::none:
      case RotaryScaling::dynamic: break;
      case RotaryScaling::linear: f /= options.factor; break;
      case RotaryScaling::llama3: f = for_llama3(f, options); break;
      case RotaryScaling::yarn: f = for_yarn(f, i, options); break;
      case RotaryScaling::divided: f /= options.divisors.at(static_cast<std::size_t>(i)); break;
    }
    frequencies.push_back(f);
  }
  return frequencies;
}

}  // namespace preamble
