// BERT's clean-up of text before it is split into words.
#pragma once

#include <cstdint>
#include <string_view>

#include "data/tokenizers/mapped_text.h"

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

/// Normalises `text`, whose first character has the index `base`. Where NFD reorders marks, positions stay in order.
[[nodiscard]] MappedText bert_normalized(std::u32string_view text, std::int32_t base, const BertNormalizerOptions& options);

}  // namespace preamble
