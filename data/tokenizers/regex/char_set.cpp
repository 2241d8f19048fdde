#include "data/tokenizers/regex/char_set.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "data/tokenizers/unicode_tables.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr char32_t kLastChar = 0x10FFFF;

constexpr std::array<std::pair<std::string_view, std::string_view>, 38> kLongCategories = {
    {{"letter", "l"},           {"casedletter", "lc"},       {"uppercaseletter", "lu"},   {"lowercaseletter", "ll"},
     {"titlecaseletter", "lt"}, {"modifierletter", "lm"},    {"otherletter", "lo"},       {"mark", "m"},
     {"combiningmark", "m"},    {"nonspacingmark", "mn"},    {"spacingmark", "mc"},       {"enclosingmark", "me"},
     {"number", "n"},           {"decimalnumber", "nd"},     {"letternumber", "nl"},      {"othernumber", "no"},
     {"punctuation", "p"},      {"punct", "p"},              {"connectorpunctuation", "pc"}, {"dashpunctuation", "pd"},
     {"openpunctuation", "ps"}, {"closepunctuation", "pe"},  {"initialpunctuation", "pi"}, {"finalpunctuation", "pf"},
     {"otherpunctuation", "po"}, {"symbol", "s"},            {"mathsymbol", "sm"},        {"currencysymbol", "sc"},
     {"modifiersymbol", "sk"},  {"othersymbol", "so"},       {"separator", "z"},          {"spaceseparator", "zs"},
     {"lineseparator", "zl"},   {"paragraphseparator", "zp"}, {"other", "c"},             {"control", "cc"},
     {"format", "cf"},          {"privateuse", "co"}}};

/// A name as Oniguruma compares it.
[[nodiscard]] std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c != ' ' && c != '-' && c != '_') plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain;
}

/// Adds a category by its lower-case letters: one (`l`), two (`lu`), or `lc`.
void add_category(std::string_view letters, CharSet& set) {
  if (letters == "lc") {
    for (const char* cased : {"lu", "ll", "lt"}) add_category(cased, set);
  } else if (letters == "c" || letters == "cn" || letters == "unassigned") {
    CharSet assigned;
    for (const auto& range : unicode_tables::categories) {
      if (letters != "c" || unicode_tables::category_names[range.category][0] != 'C') assigned.add(range.first, range.last);
    }
    assigned.invert();
    set.add(assigned);
  } else {
    for (const auto& range : unicode_tables::categories) {
      const std::string category = plain_name(unicode_tables::category_names[range.category]);
      if (category == letters || (letters.size() == 1 && category[0] == letters[0])) set.add(range.first, range.last);
    }
  }
}

[[nodiscard]] CharSet of_categories(std::initializer_list<std::string_view> categories) {
  CharSet set;
  for (const std::string_view category : categories) add_category(category, set);
  return set;
}

/// A class that is no category.
[[nodiscard]] std::optional<CharSet> class_of(std::string_view name) {
  CharSet set;
  const auto also = [&](CharClass more) {
    set.add(CharSet::of_class(more));
    return set;
  };
  if (name == "word") return CharSet::of_class(CharClass::regex_word);
  if (name == "space" || name == "whitespace") return CharSet::of_class(CharClass::byte_level_space);
  if (name == "digit") return of_categories({"nd"});
  if (name == "cntrl") return of_categories({"cc"});
  if (name == "posixpunct") return of_categories({"p", "s"});
  if (name == "alpha" || name == "alphabetic" || name == "alnum") {
    set = of_categories({"l", "nl"});
    if (name == "alnum") add_category("nd", set);
    return also(CharClass::other_alphabetic);
  }
  if (name == "upper" || name == "uppercase") {
    set = of_categories({"lu"});
    return also(CharClass::other_uppercase);
  }
  if (name == "lower" || name == "lowercase") {
    set = of_categories({"ll"});
    return also(CharClass::other_lowercase);
  }
  if (name == "graph" || name == "print") {
    // all that is assigned and neither a control nor white space; `print` holds spaces besides
    set = of_categories({"cc", "cn"});
    set.add(CharSet::of_class(CharClass::byte_level_space));
    set.invert();
    if (name == "print") add_category("zs", set);
    return set;
  }
  if (name == "blank") {
    set = of_categories({"zs"});
    set.add(U'\t', U'\t');
    return set;
  }
  if (name == "xdigit" || name == "asciihexdigit") {
    set.add(U'0', U'9');
    set.add(U'A', U'F');
    set.add(U'a', U'f');
    return set;
  }
  if (name == "ascii" || name == "any") {
    set.add(0, name == "any" ? kLastChar : 0x7F);
    return set;
  }
  if (name == "assigned") {
    set = of_categories({"cn"});
    set.invert();
    return set;
  }
  return std::nullopt;
}

}  // namespace

CharSet CharSet::of_class(CharClass char_class) {
  CharSet set;
  for (const auto& [first, last] : unicode_tables::classes[static_cast<std::size_t>(char_class)]) set.add(first, last);
  return set;
}

CharSet CharSet::of_property(std::string_view name, std::string_view origin) {
  const std::string plain = plain_name(name);
  if (auto set = class_of(plain)) return *set;
  CharSet set;
  const auto known = std::ranges::find(kLongCategories, std::string_view(plain), [](const auto& pair) { return pair.first; });
  add_category(known == kLongCategories.end() ? std::string_view(plain) : known->second, set);
  for (const auto& range : unicode_tables::scripts) {
    if (plain_name(range.name) == plain) set.add(range.first, range.last);
  }
  require<UnsupportedError>(!set.ranges_.empty(),
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
  CharSet others;  // apart, for `contains` wants sorted ranges
  for (const auto& entry : unicode_tables::folded.ends) {
    const auto equal = equal_but_for_case(entry.code);
    if (std::any_of(equal.begin(), equal.end(), [&](char32_t c) { return contains(c); })) others.add(entry.code, entry.code);
  }
  add(others);
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
