// How long texts are cut.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "data/tokenizers/encoding.h"

namespace preamble {

/// Token counts of a first and a second text; `second` is absent for a single text.
struct TextLengths {
  std::size_t first = 0;
  std::optional<std::size_t> second = std::nullopt;
  [[nodiscard]] bool operator==(const TextLengths&) const = default;
};

/// What is left of each text when both together may have `room` tokens.
///
///   single text      min(n, room)
///   only_first       first gives up the whole excess (only_second likewise)
///   longest_first    with n1 <= n2: the longer gives way first; if both are longer than half, each gets room / 2 and the
///                    longer one the odd token
///
/// Throws ConfigError if nothing would be left of the text that is to give way, or if only_second has no second text.
[[nodiscard]] TextLengths truncated_lengths(const TextLengths& lengths, std::size_t room, Truncation truncation);

/// A part of a text's tokens.
struct TokenRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] bool operator==(const TokenRange&) const = default;
};

/// Windows of `length` tokens over `count` tokens, neighbours sharing `stride`; the first that reaches the end is the last.
/// Throws ConfigError unless stride < length (or one window holds everything).
[[nodiscard]] std::vector<TokenRange> token_windows(std::size_t count, std::size_t length, std::size_t stride);

}  // namespace preamble
