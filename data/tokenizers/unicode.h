// Properties of characters as the Hugging Face tokenizers see them; unicode/README.md says where the tables come from.
#pragma once

#include <cstdint>
#include <span>
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
  numeric,         ///< Nd, Nl, No as the Digits pre-tokenizer sees them
  word,            ///< `\w` of the Whitespace pre-tokenizer and of `single_word`
  regex_word,      ///< `\w` of regular expressions
  combining_mark,  ///< what StripAccents removes
  // of regular expressions: what \p{Alphabetic}, \p{Uppercase} and \p{Lowercase} hold besides L and Nl, Lu, and Ll
  other_alphabetic,
  other_uppercase,
  other_lowercase,
};

/// True if `c` belongs to `char_class`.
[[nodiscard]] bool is(CharClass char_class, char32_t c) noexcept;

/// Lower case of one character, without context. U+0130, whose lower case is two characters, stays as it is.
[[nodiscard]] char32_t lower(char32_t c) noexcept;

/// Appends the lower case of one character, without context.
void append_lower(char32_t c, std::u32string& out);

/// Canonical combining class; 0 for all that is no mark.
[[nodiscard]] std::uint8_t combining_class(char32_t c) noexcept;

/// Appends the full canonical decomposition of `c` (`c` itself if it has none). Hangul syllables become jamo.
void append_decomposition(char32_t c, std::u32string& out);

/// Appends the full compatibility decomposition of `c` (the canonical one if it has no other).
void append_compatibility_decomposition(char32_t c, std::u32string& out);

/// The character that canonical composition makes of the two; 0 if they stay two.
[[nodiscard]] char32_t composed(char32_t first, char32_t second) noexcept;

/// The other characters that differ from `c` in case alone.
[[nodiscard]] std::span<const char32_t> equal_but_for_case(char32_t c) noexcept;

}  // namespace preamble
