#include "data/tokenizers/unicode.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

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

// the Unicode Standard, section 3.12: a syllable is leading consonant, vowel and an optional trailing consonant
constexpr char32_t kHangulFirst = 0xAC00;
constexpr char32_t kHangulCount = 11172;
constexpr char32_t kLeadFirst = 0x1100;
constexpr char32_t kLeadCount = 19;
constexpr char32_t kVowelFirst = 0x1161;
constexpr char32_t kVowelCount = 21;
constexpr char32_t kTrailFirst = 0x11A7;  // no trailing consonant
constexpr char32_t kTrailCount = 28;

void append_jamo(char32_t syllable, std::u32string& out) {
  const char32_t index = syllable - kHangulFirst;
  out += kLeadFirst + index / (kVowelCount * kTrailCount);
  out += kVowelFirst + index / kTrailCount % kVowelCount;
  if (index % kTrailCount != 0) out += kTrailFirst + index % kTrailCount;
}

/// The characters listed for `c`; none for most.
[[nodiscard]] std::span<const char32_t> list_of(const unicode_tables::CharLists& lists, char32_t c) noexcept {
  const auto ends = lists.ends;
  const auto found = std::lower_bound(ends.begin(), ends.end(), c, [](const auto& entry, char32_t x) { return entry.code < x; });
  if (found == ends.end() || found->code != c) return {};
  const std::size_t begin = found == ends.begin() ? 0 : (found - 1)->end;
  return lists.characters.subspan(begin, found->end - begin);
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

void append_lower(char32_t c, std::u32string& out) {
  constexpr char32_t kCapitalIWithDot = 0x130;
  if (c == kCapitalIWithDot) {
    out += U"i\u0307";
  } else {
    out += lower(c);
  }
}

void append_decomposition(char32_t c, std::u32string& out) {
  if (c - kHangulFirst < kHangulCount) return append_jamo(c, out);
  const auto list = list_of(unicode_tables::canonical, c);
  out.append(list.empty() ? std::u32string_view(&c, 1) : std::u32string_view(list.data(), list.size()));
}

void append_compatibility_decomposition(char32_t c, std::u32string& out) {
  const auto list = list_of(unicode_tables::compatible, c);
  if (list.empty()) return append_decomposition(c, out);
  out.append(list.data(), list.size());
}

char32_t composed(char32_t first, char32_t second) noexcept {
  if (first - kLeadFirst < kLeadCount && second - kVowelFirst < kVowelCount) {
    return kHangulFirst + ((first - kLeadFirst) * kVowelCount + (second - kVowelFirst)) * kTrailCount;
  }
  if (first - kHangulFirst < kHangulCount && (first - kHangulFirst) % kTrailCount == 0 && second - kTrailFirst - 1 < kTrailCount - 1) {
    return first + (second - kTrailFirst);
  }
  const auto table = unicode_tables::compositions;
  const auto found = std::lower_bound(table.begin(), table.end(), std::pair(first, second),
                                      [](const auto& entry, const auto& pair) { return std::pair(entry.first, entry.second) < pair; });
  return found != table.end() && found->first == first && found->second == second ? found->composite : char32_t{0};
}

std::span<const char32_t> equal_but_for_case(char32_t c) noexcept { return list_of(unicode_tables::folded, c); }

}  // namespace preamble
