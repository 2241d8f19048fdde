// GPT-2's pre-tokenizer.
#pragma once

#include "data/tokenizers/pre_tokenizers/pre_tokenizer.h"

namespace preamble {

/// `ByteLevel`: a space in front if asked for, a split by GPT-2's expression if asked for, bytes as printable characters.
class ByteLevelPreTokenizer final : public PreTokenizer {
 public:
  ByteLevelPreTokenizer(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space), use_regex_(use_regex) {}
  void cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const override;

 private:
  bool add_prefix_space_, use_regex_;
};

}  // namespace preamble
