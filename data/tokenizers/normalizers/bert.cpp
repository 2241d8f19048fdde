#include "data/tokenizers/normalizers/bert.h"

#include <algorithm>
#include <string>
#include <vector>

#include "data/tokenizers/normalizers/characters.h"
#include "data/tokenizers/normalizers/unicode_form.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

void clean(AlignedText& text) {
  text.filter([](char32_t c) { return !is(CharClass::bert_removed, c); });
  map_characters(text, [](char32_t c) { return is(CharClass::bert_space, c) ? U' ' : c; });
}

void surround_ideographs(AlignedText& text) {
  const std::u32string chars = decode_utf8(text.text());
  if (std::none_of(chars.begin(), chars.end(), [](char32_t c) { return is(CharClass::bert_cjk, c); })) return;
  std::vector<AlignedText::Step> steps;
  for (const char32_t c : chars) {
    if (is(CharClass::bert_cjk, c)) {
      steps.insert(steps.end(), {{U' ', 0}, {c, 1}, {U' ', 1}});
    } else {
      steps.push_back({c, 0});
    }
  }
  text.rewrite(steps);
}

}  // namespace

void BertNormalizer::normalize(AlignedText& text) const {
  if (options_.clean_text) clean(text);
  if (options_.handle_chinese_chars) surround_ideographs(text);
  if (options_.strip_accents) {
    normalize_form(UnicodeForm::nfd, text);
    text.filter([](char32_t c) { return !is(CharClass::bert_stripped_mark, c); });
  }
  if (options_.lowercase) lowercase(text);
}

}  // namespace preamble
