#include "data/tokenizers/models/word_level.h"

#include "engine/core/error.h"

namespace preamble {

WordLevel::WordLevel(const Vocabulary& vocabulary, const std::string& unknown) {
  const auto id = vocabulary.find(unknown);
  require<FileError>(id.has_value(), "{}: no token '{}'; wanted one for unknown words", vocabulary.origin(), unknown);
  unknown_ = *id;
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    if (const std::string* token = vocabulary.token(static_cast<std::int64_t>(i))) ids_.emplace(*token, *vocabulary.find(*token));
  }
}

void WordLevel::tokenize(std::string_view piece, std::vector<ModelToken>& out) const {
  const auto found = ids_.find(piece);
  out.push_back({found == ids_.end() ? unknown_ : found->second, 0, piece.size()});
}

}  // namespace preamble
