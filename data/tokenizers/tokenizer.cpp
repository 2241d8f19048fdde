#include "data/tokenizers/tokenizer.h"

#include <utility>

#include "data/tokenizers/length_limits.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

[[nodiscard]] bool is_white(char32_t c) noexcept { return is(CharClass::white_space, c); }

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

Tokenizer::Tokenizer(TokenizerParts parts)
    : vocabulary_(std::move(parts.vocabulary)), added_(std::move(parts.added)), special_(parts.special), layout_(std::move(parts.layout)) {}

void Tokenizer::append_text(std::string_view text, std::int32_t word, const EncodeOptions& options, std::vector<Token>& out) const {
  const std::size_t before = out.size();
  std::int32_t offset = 0;
  bool strip_begin = false;
  for (std::size_t position = 0; position < text.size();) {
    const auto match = added_.find(text, position);
    const std::size_t end = match ? match->begin : text.size();
    const std::u32string chars = decode_utf8(text.substr(position, end - position));
    std::u32string_view stretch = chars;
    std::int32_t base = offset;
    if (match && match->token->lstrip) {
      while (!stretch.empty() && is_white(stretch.back())) stretch.remove_suffix(1);
    }
    for (; strip_begin && !stretch.empty() && is_white(stretch.front()); ++base) stretch.remove_prefix(1);
    if (!stretch.empty()) encode_stretch(stretch, base, options, out);
    offset += static_cast<std::int32_t>(chars.size());
    if (!match) break;
    const auto length = static_cast<std::int32_t>(count_chars(match->token->content));
    out.push_back({match->token->id, {offset, offset + length}});
    offset += length;
    position = match->end;
    strip_begin = match->token->rstrip;
  }
  for (std::size_t i = before; i < out.size(); ++i) out[i].word = word;
}

std::vector<Token> Tokenizer::tokens_of(const TextInput& input, const EncodeOptions& options) const {
  std::vector<Token> tokens;
  if (input.is_words()) {
    for (std::size_t i = 0; i < input.words().size(); ++i) append_text(input.words()[i], static_cast<std::int32_t>(i), options, tokens);
  } else {
    append_text(input.text(), -1, options, tokens);
  }
  return tokens;
}

Encoding Tokenizer::assemble(std::span<const Token> first, std::optional<std::span<const Token>> second, bool special) const {
  Encoding out;
  const auto append = [&](const Token& token, std::int32_t sequence, std::int32_t type) {
    out.ids.push_back(token.id);
    out.type_ids.push_back(type);
    out.offsets.push_back(token.offsets);
    out.sequence_ids.push_back(sequence);
    out.word_ids.push_back(token.word);
  };
  const auto append_special = [&](std::span<const std::int32_t> ids, std::int32_t type) {
    if (!special) return;
    for (const std::int32_t id : ids) append({id, {}, -1}, -1, type);
  };
  append_special(layout_.before, 0);
  for (const Token& token : first) append(token, 0, 0);
  if (second) {
    append_special(layout_.between, 0);
    for (const Token& token : *second) append(token, 1, layout_.second_type);
  }
  append_special(layout_.after, second ? layout_.second_type : 0);
  return out;
}

Encoding Tokenizer::encode(const TextInput& text, const EncodeOptions& options) const { return encode(text, std::string_view(), options); }

Encoding Tokenizer::encode(const TextInput& text, const TextInput& pair, const EncodeOptions& options) const {
  const std::vector<Token> first = tokens_of(text, options);
  std::optional<std::vector<Token>> second;
  if (!pair.empty()) second = tokens_of(pair, options);
  TextLengths keep = lengths_of(first, second);
  const std::size_t total = keep.first + keep.second.value_or(0);
  if (options.max_length) {
    const std::size_t special = options.add_special_tokens ? special_count(second.has_value()) : 0;
    keep = truncated_lengths(keep, room_of(*options.max_length, special), options.truncation);
  }
  std::optional<std::span<const Token>> kept_second;
  if (second) kept_second = part(*second, {0, *keep.second});
  Encoding encoding = assemble(part(first, {0, keep.first}), kept_second, options.add_special_tokens);
  encoding.overflow = total - keep.first - keep.second.value_or(0);
  return encoding;
}

std::vector<Encoding> Tokenizer::encode_windows(const TextInput& text, const EncodeOptions& options) const {
  return encode_windows(text, std::string_view(), options);
}

std::vector<Encoding> Tokenizer::encode_windows(const TextInput& text, const TextInput& pair, const EncodeOptions& options) const {
  const std::vector<Token> first = tokens_of(text, options);
  std::optional<std::vector<Token>> second;
  if (!pair.empty()) second = tokens_of(pair, options);
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
    windows.push_back(assemble(cut_second ? std::span<const Token>(first) : part(first, range), window_second, options.add_special_tokens));
    windows.back().overflow = count - (range.end - range.begin);
  }
  return windows;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
  std::vector<std::string_view> tokens;
  for (const std::int32_t id : ids) {
    const std::string* token = vocabulary_.token(id);
    if (token != nullptr && !(skip_special_tokens && is_special(id))) tokens.emplace_back(*token);
  }
  return repaired_utf8(join(tokens));
}

std::optional<std::string_view> Tokenizer::id_to_token(std::int32_t id) const {
  const std::string* token = vocabulary_.token(id);
  if (token == nullptr) return std::nullopt;
  return *token;
}

std::size_t Tokenizer::special_count(bool pair) const noexcept {
  return layout_.before.size() + layout_.after.size() + (pair ? layout_.between.size() : 0);
}

}  // namespace preamble
