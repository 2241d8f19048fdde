// Texts that are too long: what is cut, and how much.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/template.h"

namespace preamble {

/// Ids of a text, without special tokens.
using Tokenize = std::function<std::vector<std::int32_t>(std::string_view)>;

/// What was lost to length limits.
struct TruncationReport {
  std::int64_t sources_cut = 0;
  std::int64_t source_tokens_cut = 0;
  std::int64_t targets_cut = 0;
  std::int64_t target_tokens_cut = 0;
};

/// Ids of the template's text for `row`, at most `max_length` of them. If the whole text is longer, a field is shortened from
/// its end, character by character (never the template's own words), to the longest beginning with which the text fits. The
/// field is `cut_field`; if that is empty the longest of the row, and if that is not enough the next longest too. The cut is
/// counted in `report`. Throws ConfigError if `cut_field` is not in the template, FileError (file and line) if the text does
/// not fit even without what may be cut, and as `BoundTemplate::texts`.
[[nodiscard]] std::vector<std::int32_t> encode_truncated(const Tokenize& tokenize, const BoundTemplate& source, std::int64_t row,
                                                         std::int64_t max_length, const std::string& cut_field, TruncationReport& report);

/// Ids of a target text, the first `max_length` of them; the cut is counted in `report`.
[[nodiscard]] std::vector<std::int32_t> encode_target(const Tokenize& tokenize, std::string_view text, std::int64_t max_length,
                                                      TruncationReport& report);

}  // namespace preamble
