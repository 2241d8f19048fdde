#include "data/tokenizers/wordpiece_tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

/// What `clean_up_tokenization` of Hugging Face tokenizers joins to the word before it, token by token.
constexpr std::array<std::string_view, 9> kJoinedToWord = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};

[[nodiscard]] bool joins_word_before(std::string_view token) {
  return std::any_of(kJoinedToWord.begin(), kJoinedToWord.end(), [&](std::string_view mark) { return token.starts_with(mark); });
}

}  // namespace

WordPieceTokenizer::WordPieceTokenizer(TokenizerParts parts, WordPieceOptions options)
    : Tokenizer(std::move(parts)), options_(std::move(options)) {
  const auto unknown = vocabulary().find(options_.unknown);
  require<FileError>(unknown.has_value(), "{}: no token '{}'; wanted one for unknown words", vocabulary().origin(), options_.unknown);
  unknown_ = *unknown;
  std::vector<std::pair<std::string_view, std::int32_t>> initial, inner;
  for (std::size_t id = 0; id < vocabulary().size(); ++id) {
    const std::string* token = vocabulary().token(static_cast<std::int64_t>(id));
    if (token == nullptr) continue;
    const auto value = static_cast<std::int32_t>(id);
    initial.emplace_back(*token, value);
    if (token->starts_with(options_.continuation)) inner.emplace_back(std::string_view(*token).substr(options_.continuation.size()), value);
  }
  initial_ = PrefixTrie(initial);
  inner_ = PrefixTrie(inner);
}

void WordPieceTokenizer::append_word(const MappedText& text, std::size_t begin, std::size_t end, std::vector<Token>& out) const {
  const std::size_t before = out.size();
  const auto give_up = [&] {
    out.resize(before);
    out.push_back({unknown_, {text.sources[begin], text.sources[end - 1] + 1}});
  };
  if (end - begin > options_.longest_word) return give_up();
  std::string bytes;
  std::vector<std::int32_t> sources;
  for (std::size_t i = begin; i < end; ++i) {
    append_utf8(text.chars[i], bytes);
    sources.resize(bytes.size(), text.sources[i]);
  }
  for (std::size_t position = 0; position < bytes.size();) {
    const auto [length, id] = (position == 0 ? initial_ : inner_).longest_prefix(bytes, position);
    if (length == 0) return give_up();
    out.push_back({id, {sources[position], sources[position + length - 1] + 1}});
    position += length;
  }
}

void WordPieceTokenizer::encode_stretch(std::u32string_view text, std::int32_t base, const EncodeOptions& /*options*/,
                                        std::vector<Token>& out) const {
  const MappedText normalized = bert_normalized(text, base, options_.normalizer);
  std::size_t begin = 0;
  const auto finish_word = [&](std::size_t end) {
    if (end > begin) append_word(normalized, begin, end, out);
  };
  for (std::size_t i = 0; i < normalized.size(); ++i) {
    const char32_t c = normalized.chars[i];
    const bool punctuation = is(CharClass::bert_punctuation, c);
    if (!punctuation && !is(CharClass::white_space, c)) continue;
    finish_word(i);
    if (punctuation) append_word(normalized, i, i + 1, out);
    begin = i + 1;
  }
  finish_word(normalized.size());
}

std::string WordPieceTokenizer::join(std::span<const std::string_view> tokens) const {
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && tokens[i].starts_with(options_.continuation)) {
      out += tokens[i].substr(options_.continuation.size());
    } else {
      if (i > 0 && !joins_word_before(tokens[i])) out += ' ';
      out += tokens[i];
    }
  }
  return out;
}

}  // namespace preamble
