#include "data/tokenizers/tokenizer.h"

#include <algorithm>
#include <utility>

#include "data/tokenizers/length_limits.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

/// `Ġ`, which stands for a space in byte-level vocabularies.
constexpr char32_t kByteLevelSpace = 0x120;

[[nodiscard]] bool is_space_like(char32_t c) noexcept { return c == kByteLevelSpace || is(CharClass::white_space, c); }

/// Notes the white space at both ends of what the token is written as.
void count_spaces(std::string_view spelling, Token& token) {
  const auto printable = [](char c) { return c > ' ' && c < '\x7F'; };
  if (spelling.empty() || (printable(spelling.front()) && printable(spelling.back()))) return;
  const std::u32string chars = decode_utf8(spelling);
  const auto blank = [](char32_t c) { return is_space_like(c); };
  token.leading_spaces = static_cast<std::int32_t>(std::find_if_not(chars.begin(), chars.end(), blank) - chars.begin());
  token.trailing_spaces = static_cast<std::int32_t>(std::find_if_not(chars.rbegin(), chars.rend(), blank) - chars.rbegin());
}

/// Tokens left for the texts when `special` of `max_length` are taken.
[[nodiscard]] std::size_t room_of(std::size_t max_length, std::size_t special) {
  require<ConfigError>(max_length >= special, "tokenizer: max_length {} with {} special tokens; wanted room for them", max_length, special);
  return max_length - special;
}

[[nodiscard]] TextLengths lengths_of(const std::vector<Token>& first, const std::optional<std::vector<Token>>& second) {
  if (!second.has_value()) return {first.size(), std::nullopt};
  return {first.size(), second->size()};
}

[[nodiscard]] std::span<const Token> part(const std::vector<Token>& tokens, TokenRange range) {
  return std::span(tokens).subspan(range.begin, range.end - range.begin);
}

}  // namespace

Tokenizer::Tokenizer(TokenizerParts parts) : parts_(std::move(parts)) {
  std::vector<AddedToken> raw, normalized;
  for (const AddedToken& token : parts_.added) {
    (token.normalized ? normalized : raw).push_back(token);
    if (token.special) special_ids_.push_back(token.id);
  }
  std::sort(special_ids_.begin(), special_ids_.end());
  raw_ = AddedTokens(std::move(raw), [](const AddedToken& token) { return token.content; });
  normalized_ = AddedTokens(std::move(normalized), [this](const AddedToken& token) {
    AlignedText content(token.content);
    if (parts_.normalizer) parts_.normalizer->normalize(content);
    if (content.text() != token.content) spellings_[token.id] = content.text();
    return content.text();
  });
  bool behind = false;
  Sequences one = {{Token{}}};
  if (parts_.post_processor) parts_.post_processor->process(one, {});
  for (const auto& tokens : one) {
    for (const Token& token : tokens) {
      behind = behind || token.sequence >= 0;
      if (token.sequence < 0) (behind ? frame_.end : frame_.begin).push_back(token.id);
    }
  }
}

bool Tokenizer::is_special(std::int32_t id) const noexcept { return std::binary_search(special_ids_.begin(), special_ids_.end(), id); }

void Tokenizer::append_text(std::string_view text, std::int32_t word, std::int32_t sequence, const EncodeOptions& options,
                            std::vector<Token>& out) const {
  const std::size_t before = out.size();
  AlignedText whole(is_utf8(text) ? text : repaired_utf8(text));
  if (raw_.empty()) {
    append_stretch(std::move(whole), options, out);
  } else {
    for (const auto& [range, token] : raw_.pieces(whole.text())) {
      if (token == nullptr) {
        append_stretch(whole.slice(range), options, out);
        continue;
      }
      out.push_back({.id = token->id, .offsets = whole.origin(range.begin, range.end)});
      count_spaces(std::string_view(whole.text()).substr(range.begin, range.end - range.begin), out.back());
    }
  }
  for (std::size_t i = before; i < out.size(); ++i) {
    out[i].word = word;
    out[i].type = out[i].sequence = sequence;
  }
}

void Tokenizer::append_stretch(AlignedText text, const EncodeOptions& options, std::vector<Token>& out) const {
  if (parts_.normalizer) parts_.normalizer->normalize(text);
  if (normalized_.empty()) return append_pieces(std::move(text), options, out);
  for (const auto& [range, token] : normalized_.pieces(text.text())) {
    if (token == nullptr) {
      append_pieces(text.slice(range), options, out);
      continue;
    }
    out.push_back({.id = token->id, .offsets = text.origin(range.begin, range.end)});
    count_spaces(std::string_view(text.text()).substr(range.begin, range.end - range.begin), out.back());
  }
}

void Tokenizer::append_pieces(AlignedText text, const EncodeOptions& options, std::vector<Token>& out) const {
  if (text.empty()) return;
  std::vector<AlignedText> pieces;
  if (parts_.pre_tokenizer) {
    parts_.pre_tokenizer->cut(std::move(text), {.add_prefix_space = options.add_prefix_space}, pieces);
  } else {
    pieces.push_back(std::move(text));
  }
  std::vector<ModelToken> tokens;
  for (const AlignedText& piece : pieces) {
    tokens.clear();
    parts_.model->tokenize(piece.text(), tokens);
    for (const auto& [id, begin, end] : tokens) {
      out.push_back({.id = id, .offsets = piece.origin(begin, end)});
      if (const std::string* spelling = parts_.vocabulary.token(id)) count_spaces(*spelling, out.back());
    }
  }
}

std::vector<Token> Tokenizer::tokens_of(const TextInput& input, std::int32_t sequence, const EncodeOptions& options) const {
  std::vector<Token> tokens;
  if (input.is_words()) {
    for (std::size_t i = 0; i < input.words().size(); ++i) {
      append_text(input.words()[i], static_cast<std::int32_t>(i), sequence, options, tokens);
    }
  } else {
    append_text(input.text(), -1, sequence, options, tokens);
  }
  return tokens;
}

Encoding Tokenizer::assemble(std::span<const Token> first, std::optional<std::span<const Token>> second, const EncodeOptions& options) const {
  Sequences sequences = {{first.begin(), first.end()}};
  if (second) sequences.emplace_back(second->begin(), second->end());
  if (parts_.post_processor) {
    parts_.post_processor->process(sequences,
                                   {.add_special_tokens = options.add_special_tokens, .add_prefix_space = options.add_prefix_space});
  }
  Encoding out;
  for (const auto& tokens : sequences) {
    for (const Token& token : tokens) {
      out.ids.push_back(token.id);
      out.type_ids.push_back(token.type);
      out.offsets.push_back(token.offsets);
      out.sequence_ids.push_back(token.sequence);
      out.word_ids.push_back(token.word);
    }
  }
  return out;
}

Encoding Tokenizer::encode(const TextInput& text, const EncodeOptions& options) const { return encode(text, std::string_view(), options); }

Encoding Tokenizer::encode(const TextInput& text, const TextInput& pair, const EncodeOptions& options) const {
  const std::vector<Token> first = tokens_of(text, 0, options);
  std::optional<std::vector<Token>> second;
  if (!pair.empty()) second = tokens_of(pair, 1, options);
  TextLengths keep = lengths_of(first, second);
  const std::size_t total = keep.first + keep.second.value_or(0);
  if (options.max_length) {
    const std::size_t special = options.add_special_tokens ? special_count(second.has_value()) : 0;
    keep = truncated_lengths(keep, room_of(*options.max_length, special), options.truncation);
  }
  std::optional<std::span<const Token>> kept_second;
  if (second) kept_second = part(*second, {0, *keep.second});
  Encoding encoding = assemble(part(first, {0, keep.first}), kept_second, options);
  encoding.overflow = total - keep.first - keep.second.value_or(0);
  return encoding;
}

std::vector<Encoding> Tokenizer::encode_windows(const TextInput& text, const EncodeOptions& options) const {
  return encode_windows(text, std::string_view(), options);
}

std::vector<Encoding> Tokenizer::encode_windows(const TextInput& text, const TextInput& pair, const EncodeOptions& options) const {
  const std::vector<Token> first = tokens_of(text, 0, options);
  std::optional<std::vector<Token>> second;
  if (!pair.empty()) second = tokens_of(pair, 1, options);
  const TextLengths lengths = lengths_of(first, second);
  TextLengths keep = lengths;
  if (options.max_length) {
    const std::size_t special = options.add_special_tokens ? special_count(second.has_value()) : 0;
    keep = truncated_lengths(lengths, room_of(*options.max_length, special), options.truncation);
  }
  require<ConfigError>(!second || keep == lengths || options.truncation != Truncation::longest_first,
                       "windows: a pair of {} and {} tokens with longest_first; wanted only_first or only_second", first.size(),
                       lengths.second.value_or(0));
  std::vector<Encoding> windows;
  const bool cut_second = second && keep.second != lengths.second;
  const std::size_t count = cut_second ? second->size() : first.size();
  for (const TokenRange range : token_windows(count, cut_second ? *keep.second : keep.first, options.stride)) {
    std::optional<std::span<const Token>> window_second;
    if (second) window_second = cut_second ? part(*second, range) : std::span<const Token>(*second);
    windows.push_back(assemble(cut_second ? std::span<const Token>(first) : part(first, range), window_second, options));
    windows.back().overflow = count - (range.end - range.begin);
  }
  return windows;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids) {
    const std::string* token = parts_.vocabulary.token(id);
    const auto spelling = spellings_.find(id);
    // the library knows special tokens by their content: one that reads otherwise stays
    if (token == nullptr || (skip_special_tokens && is_special(id) && spelling == spellings_.end())) continue;
    tokens.push_back(spelling == spellings_.end() ? *token : spelling->second);
  }
  if (parts_.decoder) parts_.decoder->decode(tokens);
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    // without a decoder tokens are words
    if (i > 0 && !parts_.decoder) text += ' ';
    text += tokens[i];
  }
  return repaired_utf8(text);
}

std::optional<std::string_view> Tokenizer::id_to_token(std::int32_t id) const {
  const std::string* token = parts_.vocabulary.token(id);
  if (token == nullptr) return std::nullopt;
  return *token;
}

std::size_t Tokenizer::special_count(bool pair) const noexcept { return parts_.post_processor ? parts_.post_processor->added(pair) : 0; }

}  // namespace preamble
