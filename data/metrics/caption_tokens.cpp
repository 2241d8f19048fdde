#include "data/metrics/caption_tokens.h"

#include <algorithm>
#include <array>
#include <string>

#include "data/metrics/text.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"

namespace preamble::metrics {
namespace {

using Text = std::u32string;
using View = std::u32string_view;

constexpr std::array<std::string_view, 20> kDropped = {"''", "'", "``", "`", "-lrb-", "-rrb-", "-lcb-", "-rcb-", ".", "?",
                                                       "!",  ",", ":",  "-", "--",    "…",     ";",     "\"",    "(", ")"};

bool is_word_character(char32_t c) {
  if (c < 0x80) return is_digit(c) || (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z') || c == U'_';
  return is(CharClass::byte_level_letter, c) || is(CharClass::byte_level_number, c);
}

/// The text has a character that is not part of a word (or an end) at `position`, seen as the next or the previous one.
bool ends_word(const Text& text, std::size_t position) { return position >= text.size() || !is_word_character(text[position]); }
bool begins_word(const Text& text, std::size_t position) { return position == 0 || !is_word_character(text[position - 1]); }

bool starts_with_at(const Text& text, std::size_t position, View piece) { return View(text).substr(position).starts_with(piece); }

/// cannot, gonna, wanna, gotta as whole words become two.
Text split_fused_words(const Text& text) {
  constexpr std::array<View, 4> kWords = {U"cannot", U"gonna", U"wanna", U"gotta"};
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const View word : kWords) {
      if (!starts_with_at(text, i, word) || !begins_word(text, i) || !ends_word(text, i + word.size())) continue;
      out += text.substr(i, 3);
      out += U' ';
      i += 3;
      break;
    }
    out += text[i];
  }
  return out;
}

/// A run of at least `shortest` times `mark` becomes `token` between spaces.
Text replace_runs(const Text& text, char32_t mark, std::size_t shortest, View token) {
  Text out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of(mark, i), text.size());
    if (end - i >= shortest) {
      out += U' ';
      out += token;
      out += U' ';
      i = end;
    } else {
      const std::size_t length = std::max<std::size_t>(end - i, 1);
      out += text.substr(i, length);
      i += length;
    }
  }
  return out;
}

/// Puts spaces round text[i] wherever `splits(i)`; `splits` never sees the ends, which are spaces.
template <class Splits>
Text pad_where(const Text& text, const Splits& splits) {
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool pad = i > 0 && i + 1 < text.size() && splits(i);
    if (pad) out += U' ';
    out += text[i];
    if (pad) out += U' ';
  }
  return out;
}

/// A space before each of `suffixes` where it ends a word.
template <std::size_t N>
Text split_suffixes(const Text& text, const std::array<View, N>& suffixes) {
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool splits = std::any_of(suffixes.begin(), suffixes.end(),
                                    [&](View suffix) { return starts_with_at(text, i, suffix) && ends_word(text, i + suffix.size()); });
    if (splits) out += U' ';
    out += text[i];
  }
  return out;
}

}  // namespace

Tokens caption_tokens(std::string_view text) {
  constexpr View kAlone = U"…!?;\"“”`()[]{}£$€%#&@";
  constexpr std::array<View, 1> kNegation = {U"n't"};
  constexpr std::array<View, 6> kContractions = {U"'s", U"'re", U"'ve", U"'ll", U"'d", U"'m"};

  Text line = U" " + lowered(decode_utf8(strip(text))) + U" ";
  line = split_fused_words(line);
  line = replace_runs(line, U'.', 3, U"…");
  line = pad_with_spaces(line, [&](char32_t c) { return kAlone.find(c) != View::npos; });
  line = pad_where(line, [&](std::size_t i) { return line[i] == U',' && !(is_digit(line[i - 1]) && is_digit(line[i + 1])); });
  line = pad_where(line, [&](std::size_t i) { return line[i] == U':' && !is_digit(line[i + 1]); });
  line = replace_runs(line, U'-', 2, U"--");
  line = pad_where(line, [&](std::size_t i) { return line[i] == U'.' && is_space(line[i + 1]); });
  line = pad_where(line, [&](std::size_t i) { return line[i] == U'\'' && (is_space(line[i - 1]) || is_space(line[i + 1])); });
  line = split_suffixes(line, kNegation);
  line = split_suffixes(line, kContractions);
  line = pad_where(line, [&](std::size_t i) { return line[i] == U'-' && is_space(line[i - 1]) != is_space(line[i + 1]); });

  Tokens tokens = split_whitespace(line);
  std::erase_if(tokens, [](const std::string& token) { return std::find(kDropped.begin(), kDropped.end(), token) != kDropped.end(); });
  return tokens;
}

}  // namespace preamble::metrics
