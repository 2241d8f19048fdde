// Patterns that cut texts: a string, a regular expression, or a class of characters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizers/aligned_text.h"
#include "data/tokenizers/regex/regex.h"
#include "data/tokenizers/utf8.h"

namespace preamble {

/// `pattern` of a Split or Replace component: `{"String": "..."}` or `{"Regex": "..."}`.
class Pattern {
 public:
  /// Matches `text` alone, nothing if it is empty.
  [[nodiscard]] static Pattern of_string(std::string text);
  /// Throws FileError for a malformed expression, UnsupportedError for syntax that is not built in.
  [[nodiscard]] static Pattern of_regex(std::string_view expression, std::string_view origin);
  /// Throws as `of_regex`, and for another form of JSON value.
  [[nodiscard]] static Pattern from_json(const nlohmann::json& value, std::string_view origin);

  /// Matches and what lies between them, in order; together they are the whole text.
  [[nodiscard]] std::vector<PatternPiece> pieces(std::string_view text) const;

 private:
  std::string string_;
  std::shared_ptr<const Regex> regex_;
};

/// What becomes of a match when a text is split. For `-` in `the-final--countdown`:
enum class SplitBehavior : std::uint8_t {
  removed,               ///< the | final | countdown
  isolated,              ///< the | - | final | - | - | countdown
  merged_with_previous,  ///< the- | final- | - | countdown
  merged_with_next,      ///< the | -final | - | -countdown
  contiguous,            ///< the | - | final | -- | countdown
};

/// From the name in a file, in either spelling (`MergedWithNext`, `merged_with_next`). Throws FileError for another one.
[[nodiscard]] SplitBehavior split_behavior(std::string_view name, std::string_view origin);

/// What is left of a text that is cut as `pieces` says.
[[nodiscard]] std::vector<ByteRange> split_ranges(const std::vector<PatternPiece>& pieces, SplitBehavior behavior);

/// Pieces of `text` by matches of a class of characters: each character of the class is a match of its own.
template <class Is>
[[nodiscard]] std::vector<PatternPiece> pieces_by_class(std::string_view text, const Is& is) {
  std::vector<PatternPiece> pieces;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const DecodedChar c = decode_char(text, i);
    if (is(c.code)) {
      if (begin < i) pieces.push_back({{begin, i}, false});
      pieces.push_back({{i, i + c.bytes}, true});
      begin = i + c.bytes;
    }
    i += c.bytes;
  }
  if (begin < text.size()) pieces.push_back({{begin, text.size()}, false});
  return pieces;
}

}  // namespace preamble
