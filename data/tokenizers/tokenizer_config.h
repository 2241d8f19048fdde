// The small JSON files beside a vocabulary.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizers/tokenizer.h"

namespace preamble {

/// Contents of tokens by their role: "bos", "eos", "unk", "sep", "pad", "cls", "mask".
using SpecialNames = std::map<std::string, std::string, std::less<>>;

/// A token that a config names as special: by its content alone, or with flags.
struct NamedToken {
  std::string content;
  /// The flags that the file gives, if any; the id is not known here.
  std::optional<AddedToken> flags = std::nullopt;
};

/// What `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and `config.json` say about a tokenizer.
struct TokenizerConfig {
  /// Without `Fast` at its end; of `config.json` if `tokenizer_config.json` has none.
  std::string tokenizer_class;
  std::string model_type;
  /// By role.
  std::map<std::string, NamedToken, std::less<>> special;
  /// Contents of tokens that are special from the beginning: those with a role, `extra_special_tokens`, and `additional_special_tokens` of
  /// `tokenizer_config.json`. Others become special later and stay normalized where `added_tokens.json` lists them.
  std::set<std::string, std::less<>> early_special;
  /// Further special tokens (`extra_special_tokens`, `additional_special_tokens`, `*_token` keys of other names).
  std::vector<NamedToken> extra;
  /// Of `added_tokens_decoder`, else of `added_tokens.json`, in the order of their ids.
  std::vector<AddedToken> added;
  /// Whether `tokenizer_config.json` has an `added_tokens_decoder`. Without one the flags of a tokenizer.json's own added tokens count.
  bool has_added_decoder = false;
  /// `bos_token_id` and `eos_token_id` of `generation_config.json`, else of `config.json` (of several the first).
  std::optional<std::int64_t> model_bos_id, model_eos_id;
  std::optional<std::int64_t> extra_ids;
  /// `clean_up_tokenization_spaces`, and the key that extends it to a BPE.
  bool clean_up_spaces = false, clean_up_spaces_of_bpe = false;
  std::optional<bool> add_bos_token, add_eos_token, add_prefix_space, do_lower_case, legacy, split_by_punct, strip_accents,
      tokenize_chinese_chars, trim_offsets;

  /// Whether the class's name begins with one of these.
  [[nodiscard]] bool is_class(std::initializer_list<std::string_view> names) const;
  /// Content of the token with a role: as the files name it, else as `defaults` do; empty if neither does.
  [[nodiscard]] std::string name_of(std::string_view role, const SpecialNames& defaults) const;
};

/// Reads those of the files that the folder has. Throws FileError for a malformed one, UnsupportedError for a class whose tokenizers need a
/// program or library for finding words. Keys that would change tokens and are not followed are warned of.
[[nodiscard]] TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

/// An entry of `added_tokens` (tokenizer.json) or `added_tokens_decoder` (tokenizer_config.json) of the file `origin`.
/// Throws nlohmann::json::exception for missing keys, FileError for an id beyond the limit.
[[nodiscard]] AddedToken added_token_of(const nlohmann::json& entry, std::int64_t id, const std::string& origin);

/// What becomes of tokens that have a role by the family's names alone.
enum class DefaultNames : std::uint8_t {
  become_special,     ///< as in the family's own class
  stay_as_they_are,  ///< as in classes without a constructor of their own, for which the flags of a tokenizer.json count
};

/// Adds the tokens that the files name to those that `parts` has: first `config.added`, then the special tokens with a role (of the config,
/// else of `defaults`), then the further ones. A token that the vocabulary lacks gets the id that its file gives, else the next free one; a
/// name of `defaults` that the vocabulary lacks counts for nothing. Sets the special ids.
void add_special_tokens(TokenizerParts& parts, const TokenizerConfig& config, const SpecialNames& defaults,
                        DefaultNames use = DefaultNames::become_special);

/// RoBERTa and BART were trained with a mask that swallows the white space before it, whatever their files say.
void mark_mask_as_lstrip(TokenizerParts& parts);

}  // namespace preamble
