#include "data/metrics/mteval_tokens.h"

#include <string>

#include "data/metrics/text.h"
#include "data/metrics/unicode_categories.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"

namespace preamble::metrics {
namespace {

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(char32_t c) { return is(CharClass::byte_level_number, c); }

bool is_mark(char c) { return c == '.' || c == ','; }

bool is_split_punctuation(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || (c >= ':' && c <= '@') ||
         c == '/';
}

template <class String, class Char>
void write_mark_second(String& out, Char before, Char mark) {
  out += before;
  out += Char{' '};
  out += mark;
  out += Char{' '};
}

template <class String, class Char>
void write_mark_first(String& out, Char mark, Char after) {
  out += Char{' '};
  out += mark;
  out += Char{' '};
  out += after;
}

}  // namespace

// Byte by byte: every character that a rule names is ASCII, and no byte of a longer UTF-8 sequence is.
Tokens mteval_tokens(std::string_view text) {
  std::string line = replace_all(text, "<skipped>", "");
  line = replace_all(line, "-\n", "");
  line = replace_all(line, "\n", " ");
  line = replace_all(line, "&quot;", "\"");
  line = replace_all(line, "&amp;", "&");
  line = replace_all(line, "&lt;", "<");
  line = replace_all(line, "&gt;", ">");
  line = pad_with_spaces(" " + line + " ", is_split_punctuation);
  line = replace_pairs(
      line, [](char a, char b) { return !is_ascii_digit(a) && is_mark(b); }, write_mark_second<std::string, char>);
  line = replace_pairs(
      line, [](char a, char b) { return is_mark(a) && !is_ascii_digit(b); }, write_mark_first<std::string, char>);
  line = replace_pairs(
      line, [](char a, char b) { return is_ascii_digit(a) && b == '-'; }, write_mark_second<std::string, char>);
  return split_whitespace(line);
}

Tokens lowercased_mteval_tokens(std::string_view text, MtevalProgram program) {
  Tokens tokens = mteval_tokens(text);
  for (std::string& token : tokens) token = program == MtevalProgram::perl ? ascii_lower(token) : lowered(token);
  return tokens;
}

Tokens international_tokens(std::string_view text) {
  std::u32string line = decode_utf8(text);
  line = replace_pairs(
      line, [](char32_t a, char32_t b) { return !is_number(a) && is_punctuation(b); }, write_mark_second<std::u32string, char32_t>);
  line = replace_pairs(
      line, [](char32_t a, char32_t b) { return is_punctuation(a) && !is_number(b); }, write_mark_first<std::u32string, char32_t>);
  return split_whitespace(pad_with_spaces(line, is_symbol));
}

}  // namespace preamble::metrics
