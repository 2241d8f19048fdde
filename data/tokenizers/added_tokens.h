// Tokens that are found in a text before the model sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/aligned_text.h"
#include "data/tokenizers/prefix_trie.h"

namespace preamble {

/// One added token, as `added_tokens` of a tokenizer.json describes it.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  /// Left out by `decode` with `skip_special_tokens`.
  bool special = true;
  /// White space before (`lstrip`) or after it (`rstrip`) belongs to it.
  bool lstrip = false;
  bool rstrip = false;
  /// Found only where no letter, mark, digit or connector stands directly before or after it.
  bool single_word = false;
  /// Found in the normalised text, where its own content is normalised too.
  bool normalized = false;
};

/// A piece of a text: an added token with what it takes along, or what lies between.
struct AddedPiece {
  ByteRange range;
  const AddedToken* token = nullptr;
};

/// A set of added tokens, ready to be searched for. Matches are exact, leftmost, and longest where several begin.
class AddedTokens {
 public:
  AddedTokens() = default;
  /// Searches for `content(token)` of each token.
  AddedTokens(std::vector<AddedToken> tokens, const std::function<std::string(const AddedToken&)>& content);

  [[nodiscard]] bool empty() const noexcept { return tokens_.empty(); }
  /// The pieces of a text in their order, none of them empty.
  [[nodiscard]] std::vector<AddedPiece> pieces(std::string_view text) const&;
  /// Pieces point at the tokens.
  void pieces(std::string_view text) const&& = delete;

 private:
  [[nodiscard]] bool stands_alone(std::string_view text, ByteRange match) const;

  std::vector<AddedToken> tokens_;
  PrefixTrie trie_;
};

}  // namespace preamble
