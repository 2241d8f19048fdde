// How a normalised text is cut into pieces before the model sees it: the `pre_tokenizer` of a tokenizer.json.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizers/aligned_text.h"
#include "data/tokenizers/pattern.h"

namespace preamble {

/// What a caller may change from text to text.
struct PreTokenizeOptions {
  /// Overrides `add_prefix_space` of `ByteLevel`.
  std::optional<bool> add_prefix_space = std::nullopt;
};

/// A pre-tokenizer. Const and safe to call from several threads.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  /// Appends the pieces of `piece`, none of them empty.
  virtual void cut(AlignedText piece, const PreTokenizeOptions& options, std::vector<AlignedText>& out) const = 0;
};

/// Appends the parts of `piece` that `behavior` leaves.
void append_split(AlignedText piece, const std::vector<PatternPiece>& matches, SplitBehavior behavior, std::vector<AlignedText>& out);

/// The pre-tokenizer that a `pre_tokenizer` object describes; null for null. Throws UnsupportedError that begins with `origin` and names a kind
/// that is not built in, FileError or nlohmann::json::exception for a malformed one.
[[nodiscard]] std::unique_ptr<PreTokenizer> read_pre_tokenizer(const nlohmann::json& value, std::string_view origin);

}  // namespace preamble
