// T5 and DeBERTa-v2: SentencePiece unigram as Hugging Face runs it.
#pragma once

#include "data/tokenizers/charsmap.h"
#include "data/tokenizers/tokenizer.h"
#include "data/tokenizers/unigram.h"

namespace preamble {

struct UnigramOptions {
  /// Lower case before the charsmap (`do_lower_case` of DeBERTa-v2).
  bool lowercase = false;
  /// The mark before a word stands for the white space there, and offsets include it (DeBERTa-v2); else it is a mere addition.
  bool mark_is_space = false;
};

/// Normalises with the charsmap, splits at white space, puts `▁` before each word and segments the words.
class UnigramTokenizer final : public Tokenizer {
 public:
  UnigramTokenizer(TokenizerParts parts, Unigram model, Charsmap charsmap, UnigramOptions options = {});

 private:
  void encode_stretch(std::u32string_view text, std::int32_t base, const EncodeOptions& options, std::vector<Token>& out) const override;
  [[nodiscard]] std::string join(std::span<const std::string_view> tokens) const override;

  Unigram model_;
  Charsmap charsmap_;
  UnigramOptions options_;
};

}  // namespace preamble
