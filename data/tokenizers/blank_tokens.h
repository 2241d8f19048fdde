// The tokens with which GLM (Du et al. 2022) marks blanks and the pieces that fill them.
#pragma once

#include "data/tokenizers/tokenizer.h"

namespace preamble {

/// How a vocabulary treats the space in front of a mask.
enum class MaskSpace : std::uint8_t {
  kept,
  stripped  ///< byte-level vocabularies: it belongs to no token
};

/// Makes `<|startofpiece|>`, `<|endofpiece|>`, `[CLS]`, `[SEP]`, `[UNK]`, `[MASK]`, `[gMASK]` and `[sMASK]` of a vocabulary that has the first
/// of them special, and gives them their roles where the files name none. Nothing for other vocabularies; true for these.
bool mark_blank_tokens(TokenizerParts& parts, MaskSpace space);

/// Puts `[CLS]` in front of texts and the end of texts (`<|endoftext|>`, else `</s>`) behind them, `[SEP]` between the texts of a pair. Throws
/// FileError for a vocabulary without these.
void frame_as_glm(TokenizerParts& parts);

}  // namespace preamble
