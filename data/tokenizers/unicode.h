// Properties of characters as the Hugging Face tokenizers see them; unicode/README.md says where the tables come from.
#pragma once

#include <cstdint>
#include <string>

namespace preamble {

/// Classes of characters; the order is that of the generated tables.
enum class CharClass : std::uint8_t {
  byte_level_letter,
  byte_level_number,
  byte_level_space,
  white_space,
  bert_removed,
  bert_space,
  bert_cjk,
  bert_punctuation,
  bert_stripped_mark,
  grapheme_attaches,
  grapheme_control,
  grapheme_prepends,
};

/// True if `c` belongs to `char_class`.
[[nodiscard]] bool is(CharClass char_class, char32_t c) noexcept;

/// Lower case of one character, without context. U+0130, whose lower case is two characters, stays as it is.
[[nodiscard]] char32_t lower(char32_t c) noexcept;

/// Canonical combining class; 0 for all that is no mark.
[[nodiscard]] std::uint8_t combining_class(char32_t c) noexcept;

/// Appends the full canonical decomposition of `c` (`c` itself if it has none). Hangul syllables become jamo.
void append_decomposition(char32_t c, std::u32string& out);

}  // namespace preamble
