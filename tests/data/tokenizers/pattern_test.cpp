#include "data/tokenizers/pattern.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace pattern_test {

using namespace preamble;
using nlohmann::json;

namespace {

using Strings = std::vector<std::string>;

Strings split(const Pattern& pattern, std::string_view text, SplitBehavior behavior) {
  Strings out;
  for (const auto& [begin, end] : split_ranges(pattern.pieces(text), behavior)) out.emplace_back(text.substr(begin, end - begin));
  return out;
}

}  // namespace

TEST_CASE("pattern: each behaviour leaves other pieces") {
  const std::string text = "the-final--countdown";
  const Pattern dash = Pattern::of_string("-");
  CHECK(split(dash, text, SplitBehavior::removed) == Strings{"the", "final", "countdown"});
  CHECK(split(dash, text, SplitBehavior::isolated) == Strings{"the", "-", "final", "-", "-", "countdown"});
  CHECK(split(dash, text, SplitBehavior::merged_with_previous) == Strings{"the-", "final-", "-", "countdown"});
  CHECK(split(dash, text, SplitBehavior::merged_with_next) == Strings{"the", "-final", "-", "-countdown"});
  CHECK(split(dash, text, SplitBehavior::contiguous) == Strings{"the", "-", "final", "--", "countdown"});
  CHECK(split(dash, "-a-", SplitBehavior::merged_with_previous) == Strings{"-", "a-"});
  CHECK(split(dash, "-a-", SplitBehavior::merged_with_next) == Strings{"-a", "-"});
}

TEST_CASE("pattern: a match of nothing cuts and is no piece") {
  const Pattern before_b = Pattern::of_regex("(?=b)", "t");
  for (const auto behavior : {SplitBehavior::removed, SplitBehavior::isolated, SplitBehavior::merged_with_next}) {
    CHECK(split(before_b, "abab", behavior) == Strings{"a", "ba", "b"});
  }
}

TEST_CASE("pattern: is read from a string or an object") {
  CHECK(Pattern::from_json("a.", "t").pieces("a.ab").size() == 2);
  CHECK(Pattern::from_json({{"String", "a."}}, "t").pieces("a.ab").size() == 2);
  CHECK(Pattern::from_json({{"Regex", "a."}}, "t").pieces("a.ab").size() == 2);
  CHECK(Pattern::of_string("").pieces("ab") == std::vector<PatternPiece>{{{0, 2}, false}});
  CHECK(split_behavior("MergedWithNext", "t") == SplitBehavior::merged_with_next);
  CHECK(split_behavior("contiguous", "t") == SplitBehavior::contiguous);
  CHECK_THROWS_AS(static_cast<void>(split_behavior("Other", "t")), FileError);
}

}  // namespace pattern_test
