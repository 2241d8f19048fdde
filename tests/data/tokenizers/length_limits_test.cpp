#include "data/tokenizers/length_limits.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace length_limits_test {

using namespace preamble;

TEST_CASE("length_limits: a single text is cut to the room") {
  CHECK(truncated_lengths({7}, 10, Truncation::longest_first) == TextLengths{7});
  CHECK(truncated_lengths({7}, 5, Truncation::longest_first) == TextLengths{5});
  CHECK(truncated_lengths({7}, 5, Truncation::only_first) == TextLengths{5});
  CHECK(truncated_lengths({7}, 0, Truncation::longest_first) == TextLengths{0});
}

TEST_CASE("length_limits: longest_first cuts the longer text, then both to half") {
  CHECK(truncated_lengths({3, 20}, 10, Truncation::longest_first) == TextLengths{3, 7});
  CHECK(truncated_lengths({20, 3}, 10, Truncation::longest_first) == TextLengths{7, 3});
  CHECK(truncated_lengths({8, 9}, 11, Truncation::longest_first) == TextLengths{5, 6});
  CHECK(truncated_lengths({9, 8}, 11, Truncation::longest_first) == TextLengths{6, 5});
  CHECK(truncated_lengths({30, 40}, 11, Truncation::longest_first) == TextLengths{5, 6});
  CHECK(truncated_lengths({4, 4}, 8, Truncation::longest_first) == TextLengths{4, 4});
}

TEST_CASE("length_limits: only_first and only_second take the whole excess from one text") {
  CHECK(truncated_lengths({10, 6}, 8, Truncation::only_first) == TextLengths{2, 6});
  CHECK(truncated_lengths({6, 10}, 8, Truncation::only_second) == TextLengths{6, 2});
  CHECK_THROWS_WITH_AS(static_cast<void>(truncated_lengths({4, 10}, 8, Truncation::only_first)),
                       "truncation: 6 tokens too many, only_first has 4 tokens; wanted a longer max_length", ConfigError);
  CHECK_THROWS_WITH_AS(static_cast<void>(truncated_lengths({10}, 8, Truncation::only_second)),
                       "truncation: only_second without a second text", ConfigError);
}

TEST_CASE("length_limits: windows overlap by the stride and end with the first that reaches the end") {
  CHECK(token_windows(5, 5, 4) == std::vector<TokenRange>{{0, 5}});
  CHECK(token_windows(0, 5, 0) == std::vector<TokenRange>{{0, 0}});
  CHECK(token_windows(6, 4, 2) == std::vector<TokenRange>{{0, 4}, {2, 6}});
  CHECK(token_windows(7, 4, 2) == std::vector<TokenRange>{{0, 4}, {2, 6}, {4, 7}});
  CHECK(token_windows(8, 4, 0) == std::vector<TokenRange>{{0, 4}, {4, 8}});
  CHECK_THROWS_WITH_AS(static_cast<void>(token_windows(8, 4, 4)), "windows: stride 4 with 4 tokens in a window; wanted a smaller stride",
                       ConfigError);
}

}  // namespace length_limits_test
