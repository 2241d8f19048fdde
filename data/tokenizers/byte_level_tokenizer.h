// GPT-2, RoBERTa and BART: byte-level BPE.
#pragma once

#include "data/tokenizers/bpe.h"
#include "data/tokenizers/tokenizer.h"

namespace preamble {

struct ByteLevelOptions {
  /// A space before each stretch of text that does not begin with one.
  bool add_prefix_space = false;
  /// Offsets leave out the spaces of a token (RoBERTa, BART).
  bool trim_offsets = false;
};

/// Splits text by GPT-2's expression and merges the bytes of the pieces.
class ByteLevelTokenizer final : public Tokenizer {
 public:
  ByteLevelTokenizer(TokenizerParts parts, Bpe model, ByteLevelOptions options);

 private:
  void encode_stretch(std::u32string_view text, std::int32_t base, const EncodeOptions& options, std::vector<Token>& out) const override;
  [[nodiscard]] std::string join(std::span<const std::string_view> tokens) const override;

  Bpe model_;
  ByteLevelOptions options_;
};

}  // namespace preamble
