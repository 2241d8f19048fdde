#include "data/tokenizers/models/wordpiece.h"

#include <utility>

#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {

WordPiece::WordPiece(const Vocabulary& vocabulary, WordPieceOptions options) : longest_word_(options.longest_word) {
  const auto unknown = vocabulary.find(options.unknown);
  require<FileError>(unknown.has_value(), "{}: no token '{}'; wanted one for unknown words", vocabulary.origin(), options.unknown);
  unknown_ = *unknown;
  std::vector<std::pair<std::string_view, std::int32_t>> initial, inner;
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    const std::string* token = vocabulary.token(static_cast<std::int64_t>(id));
    if (token == nullptr) continue;
    const auto value = static_cast<std::int32_t>(id);
    initial.emplace_back(*token, value);
    if (token->starts_with(options.continuation)) inner.emplace_back(std::string_view(*token).substr(options.continuation.size()), value);
  }
  initial_ = PrefixTrie(initial);
  inner_ = PrefixTrie(inner);
}

void WordPiece::tokenize(std::string_view piece, std::vector<ModelToken>& out) const {
  const std::size_t before = out.size();
  const auto give_up = [&] {
    out.resize(before);
    out.push_back({unknown_, 0, piece.size()});
  };
  if (count_chars(piece) > longest_word_) return give_up();
  for (std::size_t position = 0; position < piece.size();) {
    const auto [length, id] = (position == 0 ? initial_ : inner_).longest_prefix(piece, position);
    if (length == 0) return give_up();
    out.push_back({id, position, position + length});
    position += length;
  }
}

}  // namespace preamble
