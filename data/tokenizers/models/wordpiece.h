// WordPiece (Wu et al. 2016, "Google's neural machine translation system", section 4.1; longest match as in BERT).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/models/token_model.h"
#include "data/tokenizers/prefix_trie.h"

namespace preamble {

struct WordPieceOptions {
  std::string unknown = "[UNK]";
  /// Marks a piece that continues a word.
  std::string continuation = "##";
  /// A word of more characters is unknown.
  std::size_t longest_word = 100;
};

/// Covers each word with the longest pieces from the left. A word that cannot be covered is unknown as a whole.
class WordPiece final : public TokenModel {
 public:
  /// Throws FileError if the vocabulary lacks the unknown token.
  WordPiece(const Vocabulary& vocabulary, WordPieceOptions options);

  void tokenize(std::string_view piece, std::vector<ModelToken>& out) const override;

 private:
  std::size_t longest_word_;
  std::int32_t unknown_ = 0;
  PrefixTrie initial_;
  PrefixTrie inner_;
};

}  // namespace preamble
