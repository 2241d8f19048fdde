// UTF-8, where every invalid sequence counts as one U+FFFD for each maximal part (as Python's `errors="replace"`).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace preamble {

/// One character of UTF-8 text.
struct DecodedChar {
  char32_t code;
  std::size_t bytes;
  bool valid;
};

/// The character at byte `position`, which must be inside the text; U+FFFD with `valid` false for a maximal invalid part.
[[nodiscard]] DecodedChar decode_char(std::string_view text, std::size_t position) noexcept;

/// The whole text as code points.
[[nodiscard]] std::u32string decode_utf8(std::string_view text);

/// Number of code points that `decode_utf8` gives.
[[nodiscard]] std::size_t count_chars(std::string_view text) noexcept;

/// The text itself if it is valid, else with U+FFFD for what is not.
[[nodiscard]] std::string repaired_utf8(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// Bytes of `c` in UTF-8.
[[nodiscard]] constexpr std::size_t utf8_bytes(char32_t c) noexcept { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

/// Appends `c`, which must be a Unicode scalar value.
void append_utf8(char32_t c, std::string& out);

[[nodiscard]] std::string encode_utf8(std::u32string_view text);

}  // namespace preamble
