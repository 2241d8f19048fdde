// Tokens for the caption metrics (ROUGE-L, CIDEr, METEOR).
#pragma once

#include <string_view>

#include "data/metrics/ngrams.h"

namespace preamble::metrics {

/// Tokens in the manner of the Penn Treebank, lower-cased, without punctuation: contractions are split (`is n't`, `x 's`),
/// currency signs and brackets stand alone, then quotes, brackets, sentence marks, dashes and ellipses are dropped. Gives
/// the tokens of Stanford's PTBTokenizer with the caption evaluation's punctuation list on plain English; text with rare
/// abbreviations or URLs may differ.
[[nodiscard]] Tokens caption_tokens(std::string_view text);

}  // namespace preamble::metrics
