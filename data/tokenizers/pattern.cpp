#include "data/tokenizers/pattern.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace preamble {
namespace {

struct BehaviorNames {
  SplitBehavior behavior;
  std::string_view in_files, in_python;
};

constexpr std::array<BehaviorNames, 5> kBehaviors = {{{SplitBehavior::removed, "Removed", "removed"},
                                                      {SplitBehavior::isolated, "Isolated", "isolated"},
                                                      {SplitBehavior::merged_with_previous, "MergedWithPrevious", "merged_with_previous"},
                                                      {SplitBehavior::merged_with_next, "MergedWithNext", "merged_with_next"},
                                                      {SplitBehavior::contiguous, "Contiguous", "contiguous"}}};

/// Appends the match and what lies between the one before and it.
void append_match(ByteRange match, std::size_t previous, std::vector<PatternPiece>& pieces) {
  if (previous < match.begin) pieces.push_back({{previous, match.begin}, false});
  pieces.push_back({match, true});
}

}  // namespace

Pattern Pattern::of_string(std::string text) {
  Pattern pattern;
  pattern.string_ = std::move(text);
  return pattern;
}

Pattern Pattern::of_regex(std::string_view expression, std::string_view origin) {
  Pattern pattern;
  pattern.regex_ = std::make_shared<const Regex>(expression, origin);
  return pattern;
}

Pattern Pattern::from_json(const nlohmann::json& value, std::string_view origin) {
  // old files hold the string alone
  if (value.is_string()) return of_string(value.get<std::string>());
  if (value.contains("String")) return of_string(value.at("String").get<std::string>());
  return of_regex(value.at("Regex").get<std::string>(), origin);
}

std::vector<PatternPiece> Pattern::pieces(std::string_view text) const {
  std::vector<PatternPiece> pieces;
  std::size_t previous = 0;
  if (regex_) {
    for (const ByteRange& match : regex_->matches(text)) {
      append_match(match, previous, pieces);
      previous = match.end;
    }
  } else if (!string_.empty()) {
    for (std::size_t at = text.find(string_); at != std::string_view::npos; at = text.find(string_, previous)) {
      append_match({at, at + string_.size()}, previous, pieces);
      previous = at + string_.size();
    }
  }
  if (previous < text.size()) pieces.push_back({{previous, text.size()}, false});
  return pieces;
}

SplitBehavior split_behavior(std::string_view name, std::string_view origin) {
  const auto found = std::find_if(kBehaviors.begin(), kBehaviors.end(),
                                  [&](const BehaviorNames& x) { return x.in_files == name || x.in_python == name; });
  require<FileError>(found != kBehaviors.end(),
                     "{}: split behavior '{}'; wanted Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous", origin, name);
  return found->behavior;
}

std::vector<ByteRange> split_ranges(const std::vector<PatternPiece>& pieces, SplitBehavior behavior) {
  std::vector<ByteRange> ranges;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto& [range, is_match] = pieces[i];
    const bool after_match = i > 0 && pieces[i - 1].is_match;
    switch (behavior) {
      case SplitBehavior::removed:
        if (!is_match) ranges.push_back(range);
        break;
      case SplitBehavior::isolated: ranges.push_back(range); break;
      case SplitBehavior::merged_with_previous:
        if (is_match && !after_match && !ranges.empty()) {
          ranges.back().end = range.end;
        } else {
          ranges.push_back(range);
        }
        break;
      case SplitBehavior::merged_with_next:
        // the last of several matches goes to what follows
        if (!is_match && after_match) {
          ranges.back().end = range.end;
        } else {
          ranges.push_back(range);
        }
        break;
      case SplitBehavior::contiguous:
        if (i > 0 && is_match == after_match && !ranges.empty()) {
          ranges.back().end = range.end;
        } else {
          ranges.push_back(range);
        }
        break;
    }
  }
  // matches of nothing cut, and are no pieces themselves
  std::erase_if(ranges, [](const ByteRange& range) { return range.begin == range.end; });
  return ranges;
}

}  // namespace preamble
