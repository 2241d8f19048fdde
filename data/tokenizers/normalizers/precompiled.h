// The normalisation of SentencePiece models, as Hugging Face applies it.
#pragma once

#include <utility>

#include "data/tokenizers/charsmap.h"
#include "data/tokenizers/normalizers/normalizer.h"

namespace preamble {

/// `Precompiled`: applies a charsmap grapheme by grapheme. A cluster below 6 bytes of UTF-8 is looked up whole, and what is found for it
/// stands for the whole cluster; else each of its characters is looked up alone.
class PrecompiledNormalizer final : public Normalizer {
 public:
  explicit PrecompiledNormalizer(Charsmap charsmap) : charsmap_(std::move(charsmap)) {}
  void normalize(AlignedText& text) const override;

 private:
  Charsmap charsmap_;
};

}  // namespace preamble
