// BERT's clean-up of text before it is split into words.
#pragma once

#include "data/tokenizers/normalizers/normalizer.h"

namespace preamble {

struct BertNormalizerOptions {
  /// Remove control characters, turn all white space into U+0020.
  bool clean_text = true;
  /// A space on both sides of each CJK ideograph.
  bool handle_chinese_chars = true;
  /// NFD without nonspacing marks.
  bool strip_accents = true;
  bool lowercase = true;
};

/// `BertNormalizer`
class BertNormalizer final : public Normalizer {
 public:
  explicit BertNormalizer(const BertNormalizerOptions& options) : options_(options) {}
  void normalize(AlignedText& text) const override;

 private:
  BertNormalizerOptions options_;
};

}  // namespace preamble
