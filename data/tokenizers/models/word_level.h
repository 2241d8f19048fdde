// A token for each word.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/tokenizers/models/token_model.h"

namespace preamble {

/// A piece is a token, or unknown.
class WordLevel final : public TokenModel {
 public:
  /// Throws FileError if the vocabulary lacks the unknown token.
  WordLevel(const Vocabulary& vocabulary, const std::string& unknown);

  void tokenize(std::string_view piece, std::vector<ModelToken>& out) const override;

 private:
  struct Hash {
    using is_transparent = void;
    [[nodiscard]] std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  std::int32_t unknown_ = 0;
};

}  // namespace preamble
