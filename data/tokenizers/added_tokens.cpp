#include "data/tokenizers/added_tokens.h"

#include <algorithm>
#include <utility>

namespace preamble {

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::vector<std::pair<std::string_view, std::int32_t>> entries;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    if (token.special) special_ids_.push_back(token.id);
    if (token.content.empty()) continue;
    entries.emplace_back(token.content, static_cast<std::int32_t>(i));
    begins_[static_cast<unsigned char>(token.content[0])] = true;
  }
  trie_ = PrefixTrie(entries);
  std::sort(special_ids_.begin(), special_ids_.end());
}

std::optional<AddedTokens::Match> AddedTokens::find(std::string_view text, std::size_t position) const {
  for (std::size_t i = position; i < text.size(); ++i) {
    if (!begins_[static_cast<unsigned char>(text[i])]) continue;
    const auto [bytes, index] = trie_.longest_prefix(text, i);
    if (bytes != 0) return Match{i, i + bytes, &tokens_[static_cast<std::size_t>(index)]};
  }
  return std::nullopt;
}

bool AddedTokens::is_special(std::int32_t id) const noexcept { return std::binary_search(special_ids_.begin(), special_ids_.end(), id); }

}  // namespace preamble
