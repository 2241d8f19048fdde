// The small JSON files beside a vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizers/tokenizer.h"

namespace preamble {

/// Contents of tokens by their role: "bos", "eos", "unk", "sep", "pad", "cls", "mask".
using SpecialNames = std::map<std::string, std::string, std::less<>>;

/// What `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and `config.json` say about a tokenizer.
struct TokenizerConfig {
  std::string tokenizer_class;
  std::string model_type;
  SpecialNames special;
  /// Of `added_tokens_decoder` and `added_tokens.json`.
  std::vector<AddedToken> added;
  std::optional<std::int64_t> extra_ids;
  std::optional<bool> add_prefix_space, do_lower_case, split_by_punct, strip_accents, tokenize_chinese_chars, trim_offsets;
};

/// Reads those of the files that the folder has. Throws FileError for a malformed one.
[[nodiscard]] TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

/// An entry of `added_tokens` (tokenizer.json) or `added_tokens_decoder` (tokenizer_config.json) of the file `origin`.
/// Throws nlohmann::json::exception for missing keys, FileError for an id beyond the limit, UnsupportedError for `single_word`.
[[nodiscard]] AddedToken added_token_of(const nlohmann::json& entry, std::int64_t id, const std::string& origin);

/// Gives the added tokens that the vocabulary lacks their ids, and sets the special ids and marks their tokens as special: those
/// that the config names, else those of `defaults`. Names outside the vocabulary count for nothing.
void add_special_tokens(TokenizerParts& parts, const TokenizerConfig& config, const SpecialNames& defaults);

/// RoBERTa and BART were trained with a mask that swallows the white space before it, whatever their files say.
void mark_mask_as_lstrip(TokenizerParts& parts);

}  // namespace preamble
