#include "data/tokenizers/added_tokens.h"

#include <algorithm>
#include <utility>

#include "data/text_file.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

[[nodiscard]] bool white_at(std::string_view text, std::size_t place) { return is(CharClass::white_space, decode_char(text, place).code); }
[[nodiscard]] bool word_at(std::string_view text, std::size_t place) { return is(CharClass::word, decode_char(text, place).code); }

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const std::function<std::string(const AddedToken&)>& content)
    : tokens_(std::move(tokens)) {
  std::vector<std::string> contents;
  for (const AddedToken& token : tokens_) contents.push_back(content(token));
  std::vector<std::pair<std::string_view, std::int32_t>> entries;
  for (std::size_t i = 0; i < tokens_.size(); ++i) entries.emplace_back(contents[i], static_cast<std::int32_t>(i));
  trie_ = PrefixTrie(entries);
}

bool AddedTokens::stands_alone(std::string_view text, ByteRange match) const {
  if (match.begin > 0 && word_at(text, char_start(text, match.begin - 1))) return false;
  return match.end == text.size() || !word_at(text, match.end);
}

std::vector<AddedPiece> AddedTokens::pieces(std::string_view text) const& {
  std::vector<AddedPiece> pieces;
  std::size_t covered = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto [bytes, index] = trie_.longest_prefix(text, at);
    if (bytes == 0) {
      ++at;
      continue;
    }
    ByteRange range = {at, at + bytes};
    at = range.end;
    const AddedToken& token = tokens_[static_cast<std::size_t>(index)];
    if (token.single_word && !stands_alone(text, range)) continue;
    if (token.lstrip) {
      while (range.begin > covered && white_at(text, char_start(text, range.begin - 1))) range.begin = char_start(text, range.begin - 1);
    }
    if (token.rstrip) {
      while (range.end < text.size() && white_at(text, range.end)) range.end += decode_char(text, range.end).bytes;
    }
    if (covered < range.begin) pieces.push_back({{covered, range.begin}, nullptr});
    pieces.push_back({range, &token});
    covered = range.end;
  }
  if (covered < text.size()) pieces.push_back({{covered, text.size()}, nullptr});
  return pieces;
}

}  // namespace preamble
