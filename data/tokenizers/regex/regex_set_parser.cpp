#include "data/tokenizers/regex/regex_set_parser.h"

#include <string>
#include <utility>

#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

[[nodiscard]] CharSet inverted_if(bool invert, CharSet set) {
  if (invert) set.invert();
  return set;
}

[[nodiscard]] CharSet hex_digits() {
  CharSet set;
  set.add(U'0', U'9');
  set.add(U'A', U'F');
  set.add(U'a', U'f');
  return set;
}

/// `{L}` or `{^L}` behind `\p` or `\P`.
[[nodiscard]] CharSet property(RegexReader& in, bool invert) {
  if (!in.take(U'{')) in.fail("a \\p without braces");
  if (in.take(U'^')) invert = !invert;
  std::u32string name;
  while (!in.take(U'}')) name += in.next();
  return inverted_if(invert, CharSet::of_property(encode_utf8(name), in.origin()));
}

/// `[:digit:]`; absent, and the place kept, for a `[` that begins a nested set.
[[nodiscard]] std::optional<CharSet> posix_class(RegexReader& in) {
  const std::size_t before = in.position();
  if (!in.take(U':')) return std::nullopt;
  const bool invert = in.take(U'^');
  std::u32string name;
  while (!in.at_end() && in.peek() >= U'a' && in.peek() <= U'z') name += in.next();
  if (name.empty() || !in.take(U":]")) {
    in.seek(before);
    return std::nullopt;
  }
  CharSet set;
  if (name == U"digit") {
    set = CharSet::of_property("Nd", in.origin());
  } else if (name == U"space") {
    set = CharSet::of_class(CharClass::byte_level_space);
  } else if (name == U"punct") {
    set = CharSet::of_property("P", in.origin());
    set.add(CharSet::of_property("S", in.origin()));
  } else if (name == U"cntrl") {
    set = CharSet::of_property("Cc", in.origin());
  } else if (name == U"blank") {
    set = CharSet::of_property("Zs", in.origin());
    set.add(U'\t', U'\t');
  } else if (name == U"xdigit") {
    set = hex_digits();
  } else {
    in.refuse("the class [:" + encode_utf8(name) + ":]");
  }
  return inverted_if(invert, std::move(set));
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
    if (const auto members = parse_regex_class_escape(in)) {
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

std::optional<CharSet> parse_regex_class_escape(RegexReader& in) {
  if (in.take(U's')) return CharSet::of_class(CharClass::byte_level_space);
  if (in.take(U'S')) return inverted_if(true, CharSet::of_class(CharClass::byte_level_space));
  if (in.take(U'd')) return CharSet::of_property("Nd", in.origin());
  if (in.take(U'D')) return inverted_if(true, CharSet::of_property("Nd", in.origin()));
  if (in.take(U'w')) return CharSet::of_class(CharClass::regex_word);
  if (in.take(U'W')) return inverted_if(true, CharSet::of_class(CharClass::regex_word));
  if (in.take(U'h')) return hex_digits();
  if (in.take(U'H')) return inverted_if(true, hex_digits());
  if (in.take(U'p')) return property(in, false);
  if (in.take(U'P')) return property(in, true);
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
