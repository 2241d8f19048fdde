// The syntax tree of a regular expression.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data/tokenizers/regex/char_set.h"
#include "data/tokenizers/regex/regex_program.h"

namespace preamble {

struct RegexNode {
  enum class Kind : std::uint8_t {
    sequence,     ///< all children, one behind the other; none: the empty match
    alternatives, ///< the first child that leads to a match
    character,
    set,
    repetition,   ///< of the one child
    assertion,    ///< `assertion` is the instruction
    look,         ///< of the one child; `assertion` is the instruction
    atomic,       ///< of the one child
  };
  Kind kind = Kind::sequence;
  std::vector<RegexNode> children = {};
  char32_t c = 0;
  CharSet set = {};
  std::size_t least = 0;
  std::size_t most = 0;
  Greed greed = Greed::greedy;
  RegexStep::Op assertion = RegexStep::Op::match;
};

/// Parses an expression; see `Regex`.
[[nodiscard]] RegexNode parse_regex(std::string_view expression, std::string_view origin);

}  // namespace preamble
