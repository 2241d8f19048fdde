// GPT-2's view of text: bytes as printable characters, and the split into pieces before the merges.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "data/tokenizers/aligned_text.h"

namespace preamble {

/// The printable character that stands for a byte in vocabularies: `Ġ` for a space, `a` for `a`.
[[nodiscard]] char32_t byte_to_char(unsigned char byte) noexcept;

/// Writes each byte of a text as its printable character; those of one character share its place.
void bytes_to_chars(AlignedText& text);

/// The bytes that a token stands for; a token with a character that stands for no byte is taken as it is.
[[nodiscard]] std::string bytes_of_token(std::string_view token);

/// End of the piece that begins at `begin` (inside the text), by the expression
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
[[nodiscard]] std::size_t piece_end(std::u32string_view text, std::size_t begin) noexcept;

}  // namespace preamble
