// Frequencies of rotary positions, and how long contexts change them.
#pragma once

#include <cstdint>
#include <vector>

namespace preamble {

/// How frequencies f_i = theta^(-2i/r), i < r/2, are changed for contexts longer than those of the pretraining. With F = `factor`,
/// L = `original_length`:
enum class RotaryScaling : std::uint8_t {
  none,
  /// f/F                                                                                            (Chen et al. 2023)
  linear,
  /// With w = 2π/f: f where w < L/high, f/F where w > L/low, between them (1 - s) f/F + s f, s = (L/w - low)/(high - low)   (Llama 3.1)
  llama3,
  /// f for sequences of at most L positions; longer ones are turned by frequencies of their own (`RotaryGrowth`)   (dynamic NTK)
  dynamic,
  /// f (1 - t) + f/F t, t = clamp((i - a)/(b - a), 0, 1), a = floor and b = ceil of r ln(L/(2π beta))/(2 ln theta) for beta_fast and
  /// beta_slow, within 0 and r - 1; cosines and sines times `attention_factor`                      (Peng et al. 2023, YaRN)
  yarn,
  /// f/`divisors`[i]                                                                                 (Ding et al. 2024, LongRoPE)
  divided
};

struct RotaryOptions {
  std::int64_t columns = 64;  ///< r: of each head, an even number
  double theta = 10000;
  RotaryScaling scaling = RotaryScaling::none;
  double factor = 1;
  double original_length = 0;
  double low = 1, high = 4;              ///< llama3: `low_freq_factor`, `high_freq_factor`
  double beta_fast = 32, beta_slow = 1;  ///< yarn
  bool whole_bounds = true;              ///< yarn: a and b are whole numbers (`truncate`)
  std::vector<double> divisors = {};     ///< divided: one for each of the r/2 frequencies
  double attention_factor = 1;           ///< of cosines and sines, whatever the scaling

  bool operator==(const RotaryOptions&) const = default;
};

/// f_i [r/2].
[[nodiscard]] std::vector<double> rotary_frequencies(const RotaryOptions& options);

}  // namespace preamble
