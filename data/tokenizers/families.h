// Tokenizers that are described by the files of a family and not by a tokenizer.json: each loader builds the components that transformers
// gives the family.
#pragma once

#include <filesystem>
#include <memory>

#include "data/tokenizers/tokenizer.h"
#include "data/tokenizers/tokenizer_config.h"

namespace preamble {

/// `<pad>`, `</s>`, `<unk>`
[[nodiscard]] const SpecialNames& t5_names();
/// `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, `[MASK]`; DeBERTa-v2 has the same.
[[nodiscard]] const SpecialNames& bert_names();
/// `<s>`, `</s>`, `<pad>`, `<unk>`, `<mask>`; BART and XLM-RoBERTa have the same.
[[nodiscard]] const SpecialNames& roberta_names();
/// `<|endoftext|>`
[[nodiscard]] const SpecialNames& gpt2_names();
/// `<s>`, `</s>`, `<unk>`
[[nodiscard]] const SpecialNames& llama_names();

/// The id of a special token that the family's texts need. Throws FileError that names the file if it is absent.
[[nodiscard]] std::int32_t needed(std::optional<std::int32_t> id, std::string_view role, const TokenizerParts& parts);

/// `add_bos_token` and `add_eos_token` of a config decide what stands around texts, unless there is a post-processor: classes with one of their own
/// do not read these keys.
void follow_bos_and_eos(TokenizerParts& parts, const TokenizerConfig& config);

/// `clean_up_tokenization_spaces` of a config: as in transformers it is followed unless the model is a BPE, for which there is a key of its own.
void follow_clean_up(TokenizerParts& parts, const TokenizerConfig& config);

/// Each throws as `load_tokenizer` does.
[[nodiscard]] std::unique_ptr<Tokenizer> load_sentencepiece(const std::filesystem::path& model, const TokenizerConfig& config);
[[nodiscard]] std::unique_ptr<Tokenizer> load_byte_level(const std::filesystem::path& vocab, const std::filesystem::path& merges,
                                                         const TokenizerConfig& config);
[[nodiscard]] std::unique_ptr<Tokenizer> load_wordpiece(const std::filesystem::path& vocab, const TokenizerConfig& config);

/// A tokenizer from a tokenizer.json; `config` overrules it as it does in transformers.
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& path, const TokenizerConfig& config);

}  // namespace preamble
