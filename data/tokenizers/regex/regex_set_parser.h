// Sets and escapes of regular expressions.
#pragma once

#include <optional>

#include "data/tokenizers/regex/char_set.h"
#include "data/tokenizers/regex/regex_reader.h"

namespace preamble {

/// A set in brackets; `in` stands behind the `[`, and behind the `]` afterwards.
[[nodiscard]] CharSet parse_regex_set(RegexReader& in, bool ignore_case);

/// What a letter behind a backslash stands for if it is a class (`\s`, `\p{L}`, ...); absent, and the place kept, for others. In a set `\w` lacks
/// the six numbers of Latin-1 that it holds outside (`²`, `½`, ...): Oniguruma asks two tables.
[[nodiscard]] std::optional<CharSet> parse_regex_class_escape(RegexReader& in, bool in_set);

/// The character that is written behind a backslash (`\n`, `\x{1F600}`, `\.`).
[[nodiscard]] char32_t parse_regex_char_escape(RegexReader& in);

}  // namespace preamble
