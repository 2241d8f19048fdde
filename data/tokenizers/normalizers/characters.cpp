#include "data/tokenizers/normalizers/characters.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/unicode.h"

namespace preamble {
namespace {

[[nodiscard]] bool is_white_space(char32_t c) noexcept { return is(CharClass::white_space, c); }

/// What `Nmt` removes.
[[nodiscard]] bool is_nmt_control(char32_t c) noexcept {
  return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
}

/// What `Nmt` turns into a space.
[[nodiscard]] bool is_nmt_space(char32_t c) noexcept {
  return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
         c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
}

}  // namespace

void lowercase(AlignedText& text) {
  std::vector<AlignedText::Step> steps;
  std::u32string lower;
  for (const char32_t c : decode_utf8(text.text())) {
    lower.clear();
    append_lower(c, lower);
    for (std::size_t i = 0; i < lower.size(); ++i) steps.push_back({lower[i], i > 0 ? 1 : 0});
  }
  text.rewrite(steps);
}

void StripAccents::normalize(AlignedText& text) const {
  text.filter([](char32_t c) { return !is(CharClass::combining_mark, c); });
}

void StripNormalizer::normalize(AlignedText& text) const {
  const std::u32string chars = decode_utf8(text.text());
  std::size_t begin = 0, end = chars.size();
  while (left_ && begin < end && is_white_space(chars[begin])) ++begin;
  while (right_ && begin < end && is_white_space(chars[end - 1])) --end;
  if (begin == 0 && end == chars.size()) return;
  std::vector<AlignedText::Step> steps;
  for (std::size_t i = begin; i < end; ++i) steps.push_back({chars[i], 0});
  text.rewrite(steps, begin);
}

void Nmt::normalize(AlignedText& text) const {
  text.filter([](char32_t c) { return !is_nmt_control(c); });
  map_characters(text, [](char32_t c) { return is_nmt_space(c) ? U' ' : c; });
}

void ByteLevelNormalizer::normalize(AlignedText& text) const { bytes_to_chars(text); }

}  // namespace preamble
