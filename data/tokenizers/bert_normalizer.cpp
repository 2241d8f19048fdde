#include "data/tokenizers/bert_normalizer.h"

#include <algorithm>
#include <cstddef>

#include "data/tokenizers/unicode.h"

namespace preamble {
namespace {

constexpr char32_t kCapitalIWithDot = 0x130;
constexpr char32_t kDotAbove = 0x307;

/// Sorts each run of marks by combining class (the Unicode Standard, section 3.11, D109). Positions keep their order.
void reorder_marks(std::u32string& chars) {
  for (std::size_t begin = 0; begin < chars.size();) {
    std::size_t end = begin;
    while (end < chars.size() && combining_class(chars[end]) != 0) ++end;
    if (end - begin > 1) {
      std::stable_sort(chars.begin() + static_cast<std::ptrdiff_t>(begin), chars.begin() + static_cast<std::ptrdiff_t>(end),
                       [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    }
    begin = end + 1;
  }
}

[[nodiscard]] MappedText decomposed(const MappedText& text) {
  MappedText out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    append_decomposition(text.chars[i], out.chars);
    out.sources.resize(out.chars.size(), text.sources[i]);
  }
  reorder_marks(out.chars);
  return out;
}

[[nodiscard]] MappedText cleaned(std::u32string_view text, std::int32_t base, const BertNormalizerOptions& options) {
  MappedText out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char32_t c = text[i];
    const std::int32_t source = base + static_cast<std::int32_t>(i);
    if (options.clean_text) {
      if (is(CharClass::bert_removed, c)) continue;
      if (is(CharClass::bert_space, c)) c = U' ';
    }
    const bool ideograph = options.handle_chinese_chars && is(CharClass::bert_cjk, c);
    if (ideograph) out.push(U' ', source);
    out.push(c, source);
    if (ideograph) out.push(U' ', source);
  }
  return out;
}

}  // namespace

MappedText bert_normalized(std::u32string_view text, std::int32_t base, const BertNormalizerOptions& options) {
  MappedText clean = cleaned(text, base, options);
  if (options.strip_accents) clean = decomposed(clean);
  MappedText out;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const char32_t c = clean.chars[i];
    if (options.strip_accents && is(CharClass::bert_stripped_mark, c)) continue;
    out.push(options.lowercase ? (c == kCapitalIWithDot ? U'i' : lower(c)) : c, clean.sources[i]);
    if (options.lowercase && c == kCapitalIWithDot) out.push(kDotAbove, clean.sources[i]);
  }
  return out;
}

}  // namespace preamble
