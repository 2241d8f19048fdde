#include "data/tokenizers/unigram_tokenizer.h"

#include <utility>

#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

constexpr std::string_view kWordMark = "\u2581";

/// The bytes of a word with, for each, the index of the original character.
struct Word {
  std::string bytes;
  std::vector<std::int32_t> sources;

  void assign(const MappedText& text, std::size_t begin, std::size_t end, std::size_t mark) {
    bytes = kWordMark;
    for (std::size_t i = begin; i < end; ++i) append_utf8(text.chars[i], bytes);
    sources.assign(kWordMark.size(), text.sources[mark]);
    for (std::size_t i = begin; i < end; ++i) sources.insert(sources.end(), utf8_bytes(text.chars[i]), text.sources[i]);
  }
};

}  // namespace

UnigramTokenizer::UnigramTokenizer(TokenizerParts parts, Unigram model, Charsmap charsmap, UnigramOptions options)
    : Tokenizer(std::move(parts)), model_(std::move(model)), charsmap_(std::move(charsmap)), options_(options) {}

void UnigramTokenizer::encode_stretch(std::u32string_view text, std::int32_t base, const EncodeOptions& /*options*/,
                                      std::vector<Token>& out) const {
  MappedText normalized;
  if (options_.lowercase) {
    std::u32string lowered(text);
    for (char32_t& c : lowered) c = lower(c);
    charsmap_.normalize(lowered, base, normalized);
  } else {
    charsmap_.normalize(text, base, normalized);
  }
  Word word;
  Unigram::Scratch scratch;
  for (std::size_t begin = 0; begin < normalized.size();) {
    std::size_t end = begin;
    while (end < normalized.size() && !is(CharClass::white_space, normalized.chars[end])) ++end;
    if (end > begin) {
      word.assign(normalized, begin, end, options_.mark_is_space && begin > 0 ? begin - 1 : begin);
      for (const auto& segment : model_.segment(word.bytes, scratch)) {
        out.push_back({segment.id, {word.sources[segment.begin], word.sources[segment.end - 1] + 1}});
      }
    }
    begin = end + 1;
  }
}

std::string UnigramTokenizer::join(std::span<const std::string_view> tokens) const {
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string_view rest = tokens[i];
    for (std::size_t mark = rest.find(kWordMark); mark != std::string_view::npos; mark = rest.find(kWordMark)) {
      out += rest.substr(0, mark);
      if (i > 0) out += ' ';
      rest.remove_prefix(mark + kWordMark.size());
    }
    out += rest;
  }
  return out;
}

}  // namespace preamble
