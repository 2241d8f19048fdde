// `clean_up_tokenization_spaces` of a tokenizer_config.json.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizers/decoders/decoder.h"

namespace preamble {

/// `clean_up_tokenization` of Hugging Face: no spaces before `. ? ! ,` and contractions. The library's WordPiece decoder also shortens `do not`,
/// transformers does not.
void clean_up_spaces(std::string& text, bool shorten_not);

/// What `inner` makes (without one, the tokens with spaces between) as transformers cleans it up.
class CleaningDecoder final : public TokenDecoder {
 public:
  explicit CleaningDecoder(std::unique_ptr<TokenDecoder> inner) : inner_(std::move(inner)) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::unique_ptr<TokenDecoder> inner_;
};

}  // namespace preamble
