#include "data/metrics/porter_stemmer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace preamble::metrics {
namespace {

struct Rule {
  std::string_view suffix;
  std::string_view replacement;
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kIrregular = {{
    {"sky", "sky"},
    {"skies", "sky"},
    {"dying", "die"},
    {"lying", "lie"},
    {"tying", "tie"},
    {"news", "news"},
    {"innings", "inning"},
    {"inning", "inning"},
    {"outings", "outing"},
    {"outing", "outing"},
    {"cannings", "canning"},
    {"canning", "canning"},
    {"howe", "howe"},
    {"proceed", "proceed"},
    {"exceed", "exceed"},
    {"succeed", "succeed"},
}};

constexpr std::array<Rule, 4> kPlurals = {{{"sses", "ss"}, {"ies", "i"}, {"ss", "ss"}, {"s", ""}}};

constexpr std::array<Rule, 20> kDoubleSuffixes = {{
    {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},   {"izer", "ize"},  {"abli", "able"},  {"alli", "al"},
    {"entli", "ent"},   {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"}, {"ator", "ate"},   {"alism", "al"},
    {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"}, {"biliti", "ble"},
}};

constexpr std::array<Rule, 7> kSingleSuffixes = {
    {{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""}}};

constexpr std::array<std::string_view, 19> kLastSuffixes = {"al",  "ance", "ence", "er",  "ic",  "able", "ible", "ant", "ement", "ment",
                                                            "ent", "ion",  "ou",   "ism", "ate", "iti",  "ous",  "ive", "ize"};

bool is_vowel_letter(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

/// For each letter whether it is a consonant: all but a, e, i, o, u and a y after a consonant.
std::vector<bool> consonants(std::string_view word) {
  std::vector<bool> flags(word.size());
  for (std::size_t i = 0; i < word.size(); ++i) {
    flags[i] = word[i] == 'y' ? (i == 0 || !flags[i - 1]) : !is_vowel_letter(word[i]);
  }
  return flags;
}

/// m of [C](VC){m}[V].
std::size_t measure(std::string_view stem) {
  const std::vector<bool> flags = consonants(stem);
  std::size_t m = 0;
  for (std::size_t i = 1; i < flags.size(); ++i) m += !flags[i - 1] && flags[i] ? 1 : 0;
  return m;
}

bool has_vowel(std::string_view stem) {
  const std::vector<bool> flags = consonants(stem);
  return std::find(flags.begin(), flags.end(), false) != flags.end();
}

bool ends_with_double_consonant(std::string_view word) {
  return word.size() >= 2 && word.back() == word[word.size() - 2] && consonants(word).back();
}

/// Condition *o: consonant, vowel, consonant other than w, x, y; with the extensions also a vowel and a consonant alone.
bool ends_with_short_syllable(std::string_view word, PorterVariant variant) {
  const std::vector<bool> flags = consonants(word);
  const std::size_t n = word.size();
  if (n == 2) return variant == PorterVariant::nltk && !flags[0] && flags[1];
  if (n < 3 || !flags[n - 3] || flags[n - 2] || !flags[n - 1]) return false;
  return word.back() != 'w' && word.back() != 'x' && word.back() != 'y';
}

std::string_view without(std::string_view word, std::string_view suffix) { return word.substr(0, word.size() - suffix.size()); }

std::string joined(std::string_view stem, std::string_view ending) { return std::string(stem).append(ending); }

/// The first rule whose suffix fits decides: it replaces if `allowed(stem)`, else the word stays.
template <class Allowed>
std::string apply_first(std::string_view word, std::span<const Rule> rules, const Allowed& allowed) {
  for (const Rule& rule : rules) {
    if (!word.ends_with(rule.suffix)) continue;
    const std::string_view stem = without(word, rule.suffix);
    return allowed(stem) ? joined(stem, rule.replacement) : std::string(word);
  }
  return std::string(word);
}

bool always(std::string_view) { return true; }
bool has_measure(std::string_view stem) { return measure(stem) > 0; }

std::string step_1a(std::string_view word, PorterVariant variant) {
  if (variant == PorterVariant::nltk && word.size() == 4 && word.ends_with("ies")) return joined(without(word, "ies"), "ie");
  return apply_first(word, kPlurals, always);
}

/// What -ed and -ing leave behind: conflat(ed) -> conflate, hopp(ing) -> hop, fil(ing) -> file.
std::string repaired_stem(std::string_view stem, PorterVariant variant) {
  for (const std::string_view ending : {"at", "bl", "iz"}) {
    if (stem.ends_with(ending)) return joined(stem, "e");
  }
  if (ends_with_double_consonant(stem)) {
    const char last = stem.back();
    return std::string(last == 'l' || last == 's' || last == 'z' ? stem : stem.substr(0, stem.size() - 1));
  }
  return measure(stem) == 1 && ends_with_short_syllable(stem, variant) ? joined(stem, "e") : std::string(stem);
}

std::string step_1b(std::string_view word, PorterVariant variant) {
  if (variant == PorterVariant::nltk && word.ends_with("ied")) return joined(without(word, "ied"), word.size() == 4 ? "ie" : "i");
  if (word.ends_with("eed")) {
    const std::string_view stem = without(word, "eed");
    return has_measure(stem) ? joined(stem, "ee") : std::string(word);
  }
  for (const std::string_view suffix : {"ed", "ing"}) {
    if (word.ends_with(suffix) && has_vowel(without(word, suffix))) return repaired_stem(without(word, suffix), variant);
  }
  return std::string(word);
}

std::string step_1c(std::string_view word, PorterVariant variant) {
  if (!word.ends_with('y')) return std::string(word);
  const std::string_view stem = without(word, "y");
  const bool changes = variant == PorterVariant::nltk ? stem.size() > 1 && consonants(stem).back() : has_vowel(stem);
  return changes ? joined(stem, "i") : std::string(word);
}

std::string step_2(std::string_view word, PorterVariant variant) {
  if (variant == PorterVariant::nltk) {
    if (word.ends_with("alli") && has_measure(without(word, "alli"))) return step_2(joined(without(word, "alli"), "al"), variant);
    // bli -> ble takes the place of abli -> able, and nothing before it in the list ends in bli
    if (word.ends_with("bli")) return has_measure(without(word, "bli")) ? joined(without(word, "bli"), "ble") : std::string(word);
    if (word.ends_with("fulli")) return has_measure(without(word, "fulli")) ? joined(without(word, "fulli"), "ful") : std::string(word);
    // the l of logi counts as part of the stem
    if (word.ends_with("logi")) return has_measure(without(word, "ogi")) ? joined(without(word, "logi"), "log") : std::string(word);
  }
  return apply_first(word, kDoubleSuffixes, has_measure);
}

std::string step_4(std::string_view word) {
  for (const std::string_view suffix : kLastSuffixes) {
    if (!word.ends_with(suffix)) continue;
    const std::string_view stem = without(word, suffix);
    const bool removable = measure(stem) > 1 && (suffix != "ion" || stem.ends_with('s') || stem.ends_with('t'));
    return std::string(removable ? stem : word);
  }
  return std::string(word);
}

std::string step_5(std::string_view word, PorterVariant variant) {
  if (word.ends_with('e')) {
    const std::string_view stem = without(word, "e");
    const std::size_t m = measure(stem);
    if (m > 1 || (m == 1 && !ends_with_short_syllable(stem, variant))) word = stem;
  }
  if (word.ends_with("ll") && measure(without(word, "l")) > 1) word = without(word, "l");
  return std::string(word);
}

}  // namespace

std::string porter_stem(std::string_view word, PorterVariant variant) {
  if (variant == PorterVariant::nltk) {
    const auto* irregular = std::find_if(kIrregular.begin(), kIrregular.end(), [&](const auto& entry) { return entry.first == word; });
    if (irregular != kIrregular.end()) return std::string(irregular->second);
    if (word.size() <= 2) return std::string(word);
  }
  std::string stem = step_1a(word, variant);
  stem = step_1b(stem, variant);
  stem = step_1c(stem, variant);
  stem = step_2(stem, variant);
  stem = apply_first(stem, kSingleSuffixes, has_measure);
  stem = step_4(stem);
  return step_5(stem, variant);
}

}  // namespace preamble::metrics
