// The tokenizer of a GGUF file as the files of a Hugging Face folder.
#pragma once

#include <filesystem>

#include "data/gguf.h"

namespace preamble {

/// Writes, by `tokenizer.ggml.model`: gpt2, tokenizer.json (byte-level BPE, words by `tokenizer.ggml.pre`); llama, tokenizer.model
/// (SentencePiece, BPE); bert, vocab.txt; t5, spiece.model (unigram); and tokenizer_config.json. Does nothing for a file without a tokenizer.
/// Throws FileError for lists of different lengths or other types, UnsupportedError for another model or another way of finding words.
void write_gguf_tokenizer(const GgufFile& file, const std::filesystem::path& folder);

}  // namespace preamble
