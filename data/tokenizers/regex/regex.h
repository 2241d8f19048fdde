// Regular expressions of tokenizer files.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/aligned_text.h"

namespace preamble {

struct RegexProgram;

/// A regular expression in the syntax of Oniguruma, which Hugging Face tokenizers uses, with the same Unicode tables: characters and escapes,
/// sets (ranges, nested sets, `&&`, `\s \d \w \h`, `\p{..}` for categories and scripts), `.`, groups, alternatives, greedy, lazy and
/// possessive repetition, `(?i)` and `(?i:..)`, atomic groups, look-ahead and look-behind, `^ $ \A \z \Z \b \B`. Back-references, conditions
/// and recursion are refused. General libraries don't fit: their Unicode tables, `\s` and sets of sets differ.
class Regex {
 public:
  /// Throws FileError that begins with `origin` for a malformed expression, UnsupportedError for syntax that is not built in.
  Regex(std::string_view expression, std::string_view origin);

  /// All matches in valid UTF-8 text from the left, none overlapping another; an empty match directly behind another one does not count.
  /// Throws Error if a match takes more than ten million steps, as Oniguruma does.
  [[nodiscard]] std::vector<ByteRange> matches(std::string_view text) const;

  [[nodiscard]] const std::string& expression() const noexcept { return expression_; }

 private:
  std::string expression_;
  std::shared_ptr<const RegexProgram> program_;
};

}  // namespace preamble
