// Which tokens of a window are noise, and what becomes of them (Raffel et al. 2020, section 3.1.4): the arithmetic of T5's preprocessors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/random.h"

namespace preamble {

/// Share of the tokens that are noise, and mean length of their spans.
struct SpanNoise {
  double density = 0.15;
  double mean_length = 3;
};

/// Numbers of a window of so many tokens, all rounded half to even:
///   noise = min(max(round(tokens·density), 1), tokens - 1),  spans = max(round(noise / mean_length), 1)
struct SpanCounts {
  std::int64_t tokens = 0, noise = 0, spans = 0;

  [[nodiscard]] std::int64_t clean() const noexcept { return tokens - noise; }
  /// Clean tokens, a sentinel for each span, and the end token.
  [[nodiscard]] std::int64_t inputs() const noexcept { return clean() + spans + 1; }
  /// Noise tokens, a sentinel in front of each span, and the end token.
  [[nodiscard]] std::int64_t targets() const noexcept { return noise + spans + 1; }
};

/// Throws ConfigError for fewer than 2 tokens, a density outside of (0, 1) and a mean length below 1, and where there are fewer clean
/// tokens, or fewer noise tokens, than spans.
[[nodiscard]] SpanCounts span_counts(std::int64_t tokens, const SpanNoise& noise);

/// The largest window whose inputs have at most `inputs` tokens (`random_spans_helper` of T5: 512 inputs at 0.15 and 3 are 568 tokens with
/// 114 targets); with a density of 0.5 one token less where the targets would have more than the inputs. Throws as `span_counts`.
[[nodiscard]] SpanCounts largest_window(std::int64_t inputs, const SpanNoise& noise);

/// `items` cut into `segments` lengths, none 0; each way is as likely.
[[nodiscard]] std::vector<std::int64_t> random_segmentation(std::int64_t items, std::int64_t segments, Random& random);

/// Which tokens are noise: clean and noise spans in turn, a clean one first (`random_spans_noise_mask`).
[[nodiscard]] std::vector<bool> random_spans_noise_mask(const SpanCounts& counts, Random& random);

/// The first tokens, between 1 and tokens - 1 of them, each number as likely (`random_prefix_noise_mask`): a prefix LM's inputs.
[[nodiscard]] std::int64_t random_prefix_length(std::int64_t tokens, Random& random);

/// Each stretch of tokens whose `mask` is `replaced` becomes the next of the `sentinels`; the others stay. Throws ConfigError if there are
/// more stretches than sentinels.
[[nodiscard]] std::vector<std::int32_t> with_sentinels(std::span<const std::int32_t> tokens, const std::vector<bool>& mask, bool replaced,
                                                       std::span<const std::int32_t> sentinels);

}  // namespace preamble
