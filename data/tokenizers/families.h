// What the families of tokenizers call their special tokens and where they put them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "data/tokenizers/tokenizer.h"
#include "data/tokenizers/tokenizer_config.h"

namespace preamble {

/// `<pad>`, `</s>`, `<unk>`
[[nodiscard]] const SpecialNames& t5_names();
/// `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, `[MASK]`; DeBERTa-v2 has the same.
[[nodiscard]] const SpecialNames& bert_names();
/// `<s>`, `</s>`, `<pad>`, `<unk>`, `<mask>`; BART has the same.
[[nodiscard]] const SpecialNames& roberta_names();
/// `<|endoftext|>`
[[nodiscard]] const SpecialNames& gpt2_names();

/// A eos, A eos B eos. Throws FileError that begins with `origin` if a token is missing (the others likewise).
[[nodiscard]] SpecialLayout t5_layout(const SpecialIds& special, const std::string& origin);
/// cls A sep, cls A sep B sep; the second part has the type 1.
[[nodiscard]] SpecialLayout bert_layout(const SpecialIds& special, const std::string& origin);
/// cls A sep, cls A sep sep B sep.
[[nodiscard]] SpecialLayout roberta_layout(const SpecialIds& special, const std::string& origin);

/// A tokenizer from the files of its family, without tokenizer.json. Each throws as `load_tokenizer` does.
[[nodiscard]] std::unique_ptr<Tokenizer> load_sentencepiece(const std::filesystem::path& model, const TokenizerConfig& config);
[[nodiscard]] std::unique_ptr<Tokenizer> load_byte_level(const std::filesystem::path& vocab, const std::filesystem::path& merges,
                                                         const TokenizerConfig& config);
[[nodiscard]] std::unique_ptr<Tokenizer> load_wordpiece(const std::filesystem::path& vocab, const TokenizerConfig& config);

/// A tokenizer from a tokenizer.json of any of the families; `config` overrules it as it does in transformers.
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& path, const TokenizerConfig& config);

}  // namespace preamble
