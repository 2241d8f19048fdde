#include "data/tokenizers/added_tokens.h"

#include <doctest/doctest.h>

using namespace preamble;

TEST_CASE("added_tokens: the leftmost and longest match wins") {
  const AddedTokens tokens({{"<a>", 1}, {"<a><b>", 2}, {"b", 3, false}});
  const auto first = tokens.find("x<a><b>b", 0);
  REQUIRE(first.has_value());
  CHECK(first->begin == 1);
  CHECK(first->end == 7);
  CHECK(first->token->id == 2);
  const auto second = tokens.find("x<a><b>b", first->end);
  REQUIRE(second.has_value());
  CHECK(second->token->id == 3);
  CHECK_FALSE(tokens.find("x<a><b>b", 8).has_value());
  CHECK_FALSE(tokens.find("<A>", 0).has_value());
}

TEST_CASE("added_tokens: knows which ids are special") {
  const AddedTokens tokens({{"<a>", 1}, {"b", 3, false}});
  CHECK(tokens.is_special(1));
  CHECK_FALSE(tokens.is_special(3));
  CHECK_FALSE(tokens.is_special(2));
}
