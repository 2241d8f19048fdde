#include "data/tokenizers/vocabulary.h"

#include "engine/core/error.h"

namespace preamble {
void Vocabulary::add(std::string_view token, std::int64_t id) {
  require<FileError>(id >= 0 && id < kTokenIdLimit, "{}: id {} of '{}'; wanted 0 to {}", origin_, id, token, kTokenIdLimit - 1);
  const auto index = static_cast<std::size_t>(id);
  if (index >= tokens_.size()) tokens_.resize(index + 1, nullptr);
  const std::string* known = tokens_[index];
  require<FileError>(known == nullptr || *known == token, "{}: id {} is '{}' and '{}'; wanted one token", origin_, id, known ? *known : "",
                     token);
  const auto entry = ids_.insert_or_assign(std::string(token), static_cast<std::int32_t>(id)).first;
  tokens_[index] = &entry->first;
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* Vocabulary::token(std::int64_t id) const noexcept {
  return id >= 0 && static_cast<std::size_t>(id) < tokens_.size() ? tokens_[static_cast<std::size_t>(id)] : nullptr;
}

}  // namespace preamble
