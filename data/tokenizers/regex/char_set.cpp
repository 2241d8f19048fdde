#include "data/tokenizers/regex/char_set.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "data/tokenizers/unicode_tables.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr char32_t kLastChar = 0x10FFFF;

}  // namespace

CharSet CharSet::of_class(CharClass char_class) {
  CharSet set;
  for (const auto& [first, last] : unicode_tables::classes[static_cast<std::size_t>(char_class)]) set.add(first, last);
  return set;
}

CharSet CharSet::of_property(std::string_view name, std::string_view origin) {
  CharSet set;
  const auto names = unicode_tables::category_names;
  if (name == "Cn" || name == "C") {
    for (const auto& range : unicode_tables::categories) {
      if (name == "Cn" || names[range.category][0] != 'C') set.add(range.first, range.last);
    }
    set.invert();
    return set;
  }
  for (const auto& range : unicode_tables::categories) {
    if (names[range.category].starts_with(name)) set.add(range.first, range.last);
  }
  for (const auto& range : unicode_tables::scripts) {
    if (range.name == name) set.add(range.first, range.last);
  }
  require<UnsupportedError>(!set.ranges_.empty() && !name.empty(),
                            "{}: the property {} of a regular expression; wanted a general category or one of the commoner scripts", origin,
                            name);
  return set;
}

void CharSet::add(char32_t first, char32_t last) { ranges_.push_back({first, last}); }

void CharSet::add(const CharSet& other) { ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end()); }

void CharSet::merge() {
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  std::vector<Range> merged;
  for (const Range& range : ranges_) {
    if (!merged.empty() && range.first <= merged.back().last + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  ranges_ = std::move(merged);
}

void CharSet::invert() {
  merge();
  std::vector<Range> inverted;
  char32_t next = 0;
  for (const Range& range : ranges_) {
    if (next < range.first) inverted.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastChar) inverted.push_back({next, kLastChar});
  ranges_ = std::move(inverted);
}

void CharSet::intersect(const CharSet& other) {
  // a & b = ~(~a | ~b)
  CharSet outside = other;
  outside.invert();
  invert();
  add(outside);
  invert();
}

void CharSet::ignore_case() {
  finish();
  const auto cased = unicode_tables::folded.ends;
  for (const auto& entry : cased) {
    const auto others = equal_but_for_case(entry.code);
    if (std::any_of(others.begin(), others.end(), [&](char32_t c) { return contains(c); })) add(entry.code, entry.code);
  }
}

void CharSet::finish() {
  merge();
  for (char32_t c = 0; c < ascii_.size(); ++c) {
    ascii_[c] = std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) { return range.first <= c && c <= range.last; });
  }
}

bool CharSet::contains(char32_t c) const noexcept {
  if (c < ascii_.size()) return ascii_[c];
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), c, [](char32_t x, const Range& range) { return x < range.first; });
  return after != ranges_.begin() && c <= (after - 1)->last;
}

}  // namespace preamble
