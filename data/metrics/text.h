// Text helpers of the metrics: code points, white space and replacements as the original programs do them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "data/metrics/ngrams.h"

namespace preamble::metrics {

/// White space in the sense of Python's `str.isspace`.
[[nodiscard]] bool is_space(char32_t c) noexcept;

/// Lower case of every character, without context (a final sigma becomes σ).
[[nodiscard]] std::u32string lowered(std::u32string text);
[[nodiscard]] std::string lowered(std::string_view text);

/// The pieces between runs of white space (Python's `str.split()`); none is empty.
[[nodiscard]] Tokens split_whitespace(std::string_view text);
[[nodiscard]] Tokens split_whitespace(std::u32string_view text);

/// The pieces between single separators; empty pieces are kept, so that empty text gives one empty piece.
[[nodiscard]] Tokens split_at(std::string_view text, char separator);

/// `text` without white space at its end, or at both ends (Python's `str.rstrip()`, `str.strip()`).
[[nodiscard]] std::string_view strip_end(std::string_view text);
[[nodiscard]] std::string_view strip(std::string_view text);

/// A-Z become a-z; every other byte stays.
[[nodiscard]] std::string ascii_lower(std::string_view text);

/// Every occurrence of `from` (not empty) replaced by `to`, from left to right.
[[nodiscard]] std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// '0' to '9'.
[[nodiscard]] constexpr bool is_digit(char32_t c) noexcept { return c >= U'0' && c <= U'9'; }

/// One pass from left to right over non-overlapping pairs of neighbours (a, b) with `matches(a, b)`: each such pair is
/// replaced by what `write(out, a, b)` appends; everything else is copied.
template <class String, class Matches, class Write>
[[nodiscard]] String replace_pairs(const String& text, const Matches& matches, const Write& write) {
  String out;
  out.reserve(text.size() + text.size() / 4);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && matches(text[i], text[i + 1])) {
      write(out, text[i], text[i + 1]);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// Spaces before and after every character that `matches`.
template <class String, class Matches>
[[nodiscard]] String pad_with_spaces(const String& text, const Matches& matches) {
  using Char = typename String::value_type;
  String out;
  out.reserve(text.size() + text.size() / 4);
  for (const Char c : text) {
    if (matches(c)) {
      out += Char{' '};
      out += c;
      out += Char{' '};
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace preamble::metrics
