// How the pieces of a text become tokens: the `model` of a tokenizer.json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizers/vocabulary.h"

namespace preamble {

/// A token of a piece: bytes [begin, end).
struct ModelToken {
  std::int32_t id = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] bool operator==(const ModelToken&) const = default;
};

/// A model. Const and safe to call from several threads.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  /// Appends the tokens of a piece, valid UTF-8 and not empty.
  virtual void tokenize(std::string_view piece, std::vector<ModelToken>& out) const = 0;
};

/// The model that a `model` object describes; its tokens are added to `vocabulary`, which also names the file in errors. Throws
/// UnsupportedError for another kind of model, FileError or nlohmann::json::exception for a malformed one.
[[nodiscard]] std::unique_ptr<TokenModel> read_model(const nlohmann::json& value, Vocabulary& vocabulary);

}  // namespace preamble
