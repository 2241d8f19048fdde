#include "data/tokenizers/unicode.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "data/tokenizers/unicode_tables.h"

namespace preamble {
namespace {

/// The range of a sorted table that holds `c`, or null.
template <class T>
[[nodiscard]] const T* find_range(std::span<const T> table, char32_t c) noexcept {
  const auto after = std::upper_bound(table.begin(), table.end(), c, [](char32_t x, const T& range) { return x < range.first; });
  if (after == table.begin()) return nullptr;
  const T& range = *(after - 1);
  return c <= range.last ? &range : nullptr;
}

constexpr char32_t kHangulFirst = 0xAC00;
constexpr char32_t kHangulCount = 11172;

/// The Unicode Standard, section 3.12: a syllable is leading consonant, vowel and an optional trailing consonant.
void append_jamo(char32_t syllable, std::u32string& out) {
  const char32_t index = syllable - kHangulFirst;
  out += static_cast<char32_t>(0x1100 + index / 588);
  out += static_cast<char32_t>(0x1161 + index % 588 / 28);
  if (index % 28 != 0) out += static_cast<char32_t>(0x11A7 + index % 28);
}

}  // namespace

bool is(CharClass char_class, char32_t c) noexcept {
  const auto index = static_cast<std::size_t>(char_class);
  if (c < 128) return (unicode_tables::ascii_classes[c] >> index & 1) != 0;
  return find_range(unicode_tables::classes[index], c) != nullptr;
}

char32_t lower(char32_t c) noexcept {
  const auto* run = find_range(unicode_tables::lower_runs, c);
  if (run == nullptr || static_cast<std::int32_t>(c - run->first) % run->step != 0) return c;
  return static_cast<char32_t>(static_cast<std::int32_t>(c) + run->difference);
}

std::uint8_t combining_class(char32_t c) noexcept {
  const auto* range = find_range(unicode_tables::combining_classes, c);
  return range == nullptr ? std::uint8_t{0} : range->combining_class;
}

void append_decomposition(char32_t c, std::u32string& out) {
  if (c - kHangulFirst < kHangulCount) return append_jamo(c, out);
  const auto table = unicode_tables::decompositions;
  const auto found = std::lower_bound(table.begin(), table.end(), c, [](const auto& entry, char32_t x) { return entry.code < x; });
  if (c < 128 || found == table.end() || found->code != c) {
    out += c;
    return;
  }
  const std::size_t begin = found == table.begin() ? 0 : (found - 1)->end;
  for (std::size_t i = begin; i < found->end; ++i) out += unicode_tables::decomposed_characters[i];
}

}  // namespace preamble
