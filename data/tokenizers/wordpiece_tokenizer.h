// BERT: WordPiece.
#pragma once

#include <cstddef>
#include <string>

#include "data/tokenizers/bert_normalizer.h"
#include "data/tokenizers/prefix_trie.h"
#include "data/tokenizers/tokenizer.h"

namespace preamble {

struct WordPieceOptions {
  BertNormalizerOptions normalizer;
  std::string unknown = "[UNK]";
  /// Marks a piece that continues a word.
  std::string continuation = "##";
  /// A longer word is unknown.
  std::size_t longest_word = 100;
};

/// Normalises, splits at white space and around punctuation, and covers each word with the longest pieces from the left
/// (Wu et al. 2016, "Google's neural machine translation system", section 4.1; longest match as in BERT). A word that cannot be
/// covered is unknown as a whole.
class WordPieceTokenizer final : public Tokenizer {
 public:
  /// Throws FileError if the vocabulary lacks the unknown token.
  WordPieceTokenizer(TokenizerParts parts, WordPieceOptions options);

 private:
  void encode_stretch(std::u32string_view text, std::int32_t base, const EncodeOptions& options, std::vector<Token>& out) const override;
  [[nodiscard]] std::string join(std::span<const std::string_view> tokens) const override;
  void append_word(const MappedText& text, std::size_t begin, std::size_t end, std::vector<Token>& out) const;

  WordPieceOptions options_;
  std::int32_t unknown_ = 0;
  PrefixTrie initial_;
  PrefixTrie inner_;
};

}  // namespace preamble
