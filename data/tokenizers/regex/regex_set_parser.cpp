#include "data/tokenizers/regex/regex_set_parser.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

[[nodiscard]] CharSet inverted_if(bool invert, CharSet set) {
  if (invert) set.invert();
  return set;
}

/// `\w` of a set.
[[nodiscard]] CharSet word_of_set() {
  CharSet set = CharSet::of_class(CharClass::regex_word);
  CharSet left_out;
  for (const char32_t c : std::u32string_view(U"\u00B2\u00B3\u00B9\u00BC\u00BD\u00BE")) left_out.add(c, c);
  left_out.invert();
  set.intersect(left_out);
  return set;
}

[[nodiscard]] CharSet word(bool in_set) { return in_set ? word_of_set() : CharSet::of_class(CharClass::regex_word); }

/// `{L}` or `{^L}` behind `\p` or `\P`.
[[nodiscard]] CharSet property(RegexReader& in, bool invert, bool in_set) {
  if (!in.take(U'{')) in.fail("a \\p without braces");
  if (in.take(U'^')) invert = !invert;
  std::u32string name;
  while (!in.take(U'}')) name += in.next();
  const std::string utf8 = encode_utf8(name);
  return inverted_if(invert, utf8 == "Word" || utf8 == "word" ? word(in_set) : CharSet::of_property(utf8, in.origin()));
}

/// `[:digit:]`; absent, and the place kept, for a `[` that begins a nested set.
[[nodiscard]] std::optional<CharSet> posix_class(RegexReader& in) {
  constexpr std::array<std::u32string_view, 12> kNames = {U"alnum", U"alpha", U"ascii", U"blank", U"cntrl", U"digit",
                                                          U"graph", U"lower", U"print", U"space", U"upper", U"xdigit"};
  const std::size_t before = in.position();
  if (!in.take(U':')) return std::nullopt;
  const bool invert = in.take(U'^');
  std::u32string name;
  while (!in.at_end() && in.peek() >= U'a' && in.peek() <= U'z') name += in.next();
  if (name.empty() || !in.take(U":]")) {
    in.seek(before);
    return std::nullopt;
  }
  if (name == U"word") return inverted_if(invert, word_of_set());
  if (name == U"punct") return inverted_if(invert, CharSet::of_property("PosixPunct", in.origin()));
  if (std::ranges::find(kNames, std::u32string_view(name)) == kNames.end()) in.refuse("the class [:" + encode_utf8(name) + ":]");
  return inverted_if(invert, CharSet::of_property(encode_utf8(name), in.origin()));
}

/// One character of a set, with its escapes.
[[nodiscard]] char32_t set_char(RegexReader& in) {
  if (!in.take(U'\\')) return in.next();
  if (in.take(U'b')) return U'\b';
  return parse_regex_char_escape(in);
}

/// Adds one member, range or nested set.
void add_item(RegexReader& in, CharSet& set, bool ignore_case) {
  if (in.take(U'[')) {
    const auto named = posix_class(in);
    set.add(named ? *named : parse_regex_set(in, ignore_case));
    return;
  }
  const std::size_t before = in.position();
  if (in.take(U'\\')) {
    if (const auto members = parse_regex_class_escape(in, true)) {
      set.add(*members);
      return;
    }
    in.seek(before);
  }
  const char32_t first = set_char(in);
  const std::size_t behind = in.position();
  if (!in.take(U'-') || in.next_is(U"]")) {
    in.seek(behind);
    set.add(first, first);
    return;
  }
  const char32_t last = set_char(in);
  if (last < first) in.fail("a range that ends before it begins");
  set.add(first, last);
}

}  // namespace

CharSet parse_regex_set(RegexReader& in, bool ignore_case) {
  const bool invert = in.take(U'^');
  CharSet set;
  std::optional<CharSet> left;
  bool first = true;
  const auto close_operand = [&] {
    if (left) set.intersect(*left);
  };
  for (;; first = false) {
    if (!first && in.take(U']')) break;
    if (in.take(U"&&")) {
      close_operand();
      left = std::exchange(set, CharSet());
    } else {
      add_item(in, set, ignore_case);
    }
  }
  close_operand();
  if (ignore_case) set.ignore_case();
  if (invert) set.invert();
  return set;
}

std::optional<CharSet> parse_regex_class_escape(RegexReader& in, bool in_set) {
  const auto named = [&](std::string_view name) { return CharSet::of_property(name, in.origin()); };
  if (in.take(U's')) return named("Space");
  if (in.take(U'S')) return inverted_if(true, named("Space"));
  if (in.take(U'd')) return named("Digit");
  if (in.take(U'D')) return inverted_if(true, named("Digit"));
  if (in.take(U'w')) return word(in_set);
  if (in.take(U'W')) return inverted_if(true, word(in_set));
  if (in.take(U'h')) return named("XDigit");
  if (in.take(U'H')) return inverted_if(true, named("XDigit"));
  if (in.take(U'p')) return property(in, false, in_set);
  if (in.take(U'P')) return property(in, true, in_set);
  if (in_set) return std::nullopt;
  if (in.take(U'O')) return named("Any");
  if (in.take(U'N')) {
    CharSet line_feed;
    line_feed.add(U'\n', U'\n');
    return inverted_if(true, std::move(line_feed));
  }
  return std::nullopt;
}

char32_t parse_regex_char_escape(RegexReader& in) {
  const char32_t c = in.next();
  switch (c) {
    case U't': return U'\t';
    case U'n': return U'\n';
    case U'r': return U'\r';
    case U'f': return U'\f';
    case U'v': return U'\v';
    case U'a': return U'\a';
    case U'e': return U'\x1B';
    case U'0': return in.digits(0, 2, 8);
    case U'u': return in.digits(4, 4, 16);
    case U'x': {
      if (!in.take(U'{')) return in.digits(1, 2, 16);
      const char32_t code = in.digits(1, 8, 16);
      if (!in.take(U'}')) in.fail("a \\x{ without its '}'");
      return code;
    }
    default: break;
  }
  const bool letter_or_digit = (c >= U'A' && c <= U'Z') || (c >= U'a' && c <= U'z') || (c >= U'1' && c <= U'9');
  if (letter_or_digit) in.refuse("\\" + encode_utf8(std::u32string(1, c)));
  return c;
}

}  // namespace preamble
