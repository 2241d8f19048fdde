#include "data/tokenizers/normalizers/precompiled.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

using Steps = std::vector<AlignedText::Step>;

constexpr std::size_t kWholeClusterBytes = 6;

/// End of the grapheme cluster at `begin`, as far as charsmaps can tell clusters apart: CR LF, or a character with what is
/// prepended and attached to it.
[[nodiscard]] std::size_t cluster_end(std::u32string_view text, std::size_t begin) noexcept {
  const auto next_is = [&](std::size_t i, CharClass char_class) { return i + 1 < text.size() && is(char_class, text[i + 1]); };
  std::size_t last = begin;
  if (text[last] == U'\r' && last + 1 < text.size() && text[last + 1] == U'\n') return last + 2;
  while (is(CharClass::grapheme_prepends, text[last]) && last + 1 < text.size() && !next_is(last, CharClass::grapheme_control)) ++last;
  if (is(CharClass::grapheme_control, text[last])) return last + 1;
  while (next_is(last, CharClass::grapheme_attaches)) ++last;
  return last + 1;
}

/// `old_count` characters become `content`: what is more is added, what is less vanishes behind the last character before it.
void append_replacement(std::u32string_view content, std::size_t old_count, Steps& steps) {
  for (const char32_t c : content) steps.push_back({c, 0});
  if (content.size() > old_count) {
    for (auto step = steps.end() - static_cast<std::ptrdiff_t>(content.size() - old_count); step != steps.end(); ++step) step->change = 1;
  } else if (!steps.empty()) {
    steps.back().change -= static_cast<int>(old_count - content.size());
  }
}

}  // namespace

void PrecompiledNormalizer::normalize(AlignedText& text) const {
  const std::u32string chars = decode_utf8(text.text());
  Steps steps;
  bool changed = false;
  const auto replace = [&](std::u32string_view part) {
    const auto content = charsmap_.shortest(encode_utf8(part));
    if (!content) return false;
    append_replacement(*content, part.size(), steps);
    return changed = true;
  };
  for (std::size_t begin = 0; begin < chars.size();) {
    const std::size_t end = cluster_end(chars, begin);
    const auto cluster = std::u32string_view(chars).substr(begin, end - begin);
    std::size_t bytes = 0;
    for (const char32_t c : cluster) bytes += utf8_bytes(c);
    if (bytes >= kWholeClusterBytes || !replace(cluster)) {
      for (std::size_t i = 0; i < cluster.size(); ++i) {
        if (!replace(cluster.substr(i, 1))) steps.push_back({cluster[i], 0});
      }
    }
    begin = end;
  }
  if (changed) text.rewrite(steps);
}

}  // namespace preamble
