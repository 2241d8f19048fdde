#include "data/tokenizers/byte_level.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

constexpr std::int16_t kNoByte = -1;
/// Bytes that are not printable in Latin-1 follow one another from U+0100 on; the last one is U+0143.
constexpr char32_t kFirstShifted = 0x100;
constexpr std::size_t kByteChars = 0x144;

[[nodiscard]] constexpr bool stands_for_itself(unsigned char byte) noexcept {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

constexpr std::array<char32_t, 256> kCharOfByte = [] {
  std::array<char32_t, 256> table = {};
  char32_t next = kFirstShifted;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    table[byte] = stands_for_itself(static_cast<unsigned char>(byte)) ? static_cast<char32_t>(byte) : next++;
  }
  return table;
}();

constexpr std::array<std::int16_t, kByteChars> kByteOfChar = [] {
  std::array<std::int16_t, kByteChars> table = {};
  table.fill(kNoByte);
  for (std::size_t byte = 0; byte < 256; ++byte) table[kCharOfByte[byte]] = static_cast<std::int16_t>(byte);
  return table;
}();

enum class LetterKind : std::uint8_t { letter, number, space, other };

[[nodiscard]] LetterKind kind_of(char32_t c) noexcept {
  if (is(CharClass::byte_level_letter, c)) return LetterKind::letter;
  if (is(CharClass::byte_level_space, c)) return LetterKind::space;
  if (is(CharClass::byte_level_number, c)) return LetterKind::number;
  return LetterKind::other;
}

[[nodiscard]] std::size_t run_end(std::u32string_view text, std::size_t begin, LetterKind kind) noexcept {
  std::size_t end = begin;
  while (end < text.size() && kind_of(text[end]) == kind) ++end;
  return end;
}

}  // namespace

char32_t byte_to_char(unsigned char byte) noexcept { return kCharOfByte[byte]; }

void bytes_to_chars(AlignedText& text) {
  std::vector<AlignedText::Step> steps;
  steps.reserve(text.text().size());
  for (const char c : text.text()) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues = (byte & 0xC0) == 0x80;
    steps.push_back({kCharOfByte[byte], continues ? 1 : 0});
  }
  text.rewrite(steps);
}

std::string bytes_of_token(std::string_view token) {
  std::string bytes;
  for (const char32_t c : decode_utf8(token)) {
    if (c >= kByteChars || kByteOfChar[c] == kNoByte) return std::string(token);
    bytes += static_cast<char>(kByteOfChar[c]);
  }
  return bytes;
}

std::size_t piece_end(std::u32string_view text, std::size_t begin) noexcept {
  const std::u32string_view rest = text.substr(begin);
  if (rest[0] == U'\'') {
    for (const std::u32string_view contraction : {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"}) {
      if (rest.starts_with(contraction)) return begin + contraction.size();
    }
  }
  const std::size_t first = rest.size() > 1 && rest[0] == U' ' ? begin + 1 : begin;
  const LetterKind kind = kind_of(text[first]);
  if (kind != LetterKind::space) return run_end(text, first, kind);
  // a run of white space gives up its last character to what follows it
  const std::size_t end = run_end(text, begin, LetterKind::space);
  return end == text.size() || end == begin + 1 ? end : end - 1;
}

}  // namespace preamble
