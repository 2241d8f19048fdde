// Tokens that are found in the raw text before anything else happens to it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/prefix_trie.h"

namespace preamble {

/// One added token, as `added_tokens` of a tokenizer.json describes it.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  /// Left out by `decode` with `skip_special_tokens`.
  bool special = true;
  /// White space before (`lstrip`) or after it (`rstrip`) belongs to no token.
  bool lstrip = false;
  bool rstrip = false;
};

/// A set of added tokens, ready to be searched for. Matches are exact, leftmost, and longest where several begin.
class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  struct Match {
    std::size_t begin, end;
    const AddedToken* token;
  };

  /// The first match at byte `position` or later.
  [[nodiscard]] std::optional<Match> find(std::string_view text, std::size_t position) const;
  [[nodiscard]] bool is_special(std::int32_t id) const noexcept;

 private:
  std::vector<AddedToken> tokens_;
  std::vector<std::int32_t> special_ids_;
  PrefixTrie trie_;
  std::array<bool, 256> begins_ = {};
};

}  // namespace preamble
