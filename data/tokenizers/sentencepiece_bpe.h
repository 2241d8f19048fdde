// SentencePiece models of byte-pair encoding: Llama 2, TinyLlama, Mistral, Gemma.
#pragma once

#include "data/tokenizers/sentencepiece_model.h"
#include "data/tokenizers/tokenizer.h"
#include "data/tokenizers/tokenizer_config.h"

namespace preamble {

/// The components of Llama's tokenizer (with `legacy` false those of the newer form, which puts a mark in front of the text alone), or of
/// Gemma's, which adds no mark. Throws UnsupportedError for another class.
[[nodiscard]] TokenizerParts sentencepiece_bpe(const SentencePieceModel& model, const TokenizerConfig& config, TokenizerParts parts);

}  // namespace preamble
