// What a regular expression is compiled to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "data/tokenizers/regex/char_set.h"

namespace preamble {

/// How a repetition gives back what it took.
enum class Greed : std::uint8_t { greedy, lazy, possessive };

inline constexpr std::size_t kEndless = std::numeric_limits<std::size_t>::max();

/// One instruction; which fields count depends on `op`.
struct RegexStep {
  enum class Op : std::uint8_t {
    match,               ///< the end of the program or of a part that is run by itself
    character,           ///< `c`
    set,                 ///< a member of set `a`
    repeat_set,          ///< `least` to `most` members of set `a`, as `greed` says
    jump,                ///< to `a`
    fork,                ///< to `a`, or else to `b`
    mark,                ///< notes the place under number `a`
    advanced,            ///< leaves a loop, to `b`, if nothing was read since mark `a`
    text_begin,          ///< `\A`
    text_end,            ///< `\z`
    last_line_end,       ///< `\Z`: the end, or before a line feed at the end
    line_begin,          ///< `^`
    line_end,            ///< `$`
    word_boundary,       ///< `\b`
    no_word_boundary,    ///< `\B`
    look_ahead,          ///< the part at the next instruction matches here; goes on at `a`
    look_ahead_not,      ///< it does not
    look_behind,         ///< the part matches `least` to `most` characters that end here
    look_behind_not,     ///< it does not
    atomic,              ///< the part matches, and gives nothing back; goes on at `a`
  };
  Op op = Op::match;
  Greed greed = Greed::greedy;
  char32_t c = 0;
  std::size_t a = 0;
  std::size_t b = 0;
  std::size_t least = 0;
  std::size_t most = 0;
};

struct RegexProgram {
  std::vector<RegexStep> steps;
  std::vector<CharSet> sets;
  std::size_t marks = 0;
  CharSet word;  ///< for `\b`
};

/// Compiles an expression; see `Regex`.
[[nodiscard]] RegexProgram compile_regex(std::string_view expression, std::string_view origin);

}  // namespace preamble
