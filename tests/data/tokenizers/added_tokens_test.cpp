#include "data/tokenizers/added_tokens.h"

#include <doctest/doctest.h>

namespace added_tokens_test {

using namespace preamble;

namespace {

/// The pieces as `text` for what lies between and `id:text` for tokens.
std::vector<std::string> cut(const std::vector<AddedToken>& tokens, std::string_view text) {
  std::vector<std::string> out;
  const AddedTokens added(tokens, [](const AddedToken& x) { return x.content; });
  for (const auto& [range, token] : added.pieces(text)) {
    const std::string part(text.substr(range.begin, range.end - range.begin));
    out.push_back(token == nullptr ? part : std::to_string(token->id) + ":" + part);
  }
  return out;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("added_tokens: the leftmost and longest match wins") {
  const std::vector<AddedToken> tokens = {{"<a>", 1}, {"<a><b>", 2}, {"b", 3, false}};
  CHECK(cut(tokens, "x<a><b>b") == Strings{"x", "2:<a><b>", "3:b"});
  CHECK(cut(tokens, "<A>") == Strings{"<A>"});
  CHECK(cut(tokens, "").empty());
}

TEST_CASE("added_tokens: lstrip and rstrip take the white space beside a token along, but not what another one took") {
  const std::vector<AddedToken> tokens = {{.content = "<l>", .id = 1, .lstrip = true}, {.content = "<r>", .id = 2, .rstrip = true}};
  CHECK(cut(tokens, "a \u3000<l> b") == Strings{"a", "1: \u3000<l>", " b"});
  CHECK(cut(tokens, "a <r> \n b") == Strings{"a ", "2:<r> \n ", "b"});
  CHECK(cut(tokens, "<r>  <l>") == Strings{"2:<r>  ", "1:<l>"});
}

TEST_CASE("added_tokens: a single word has no letter, mark, digit or connector beside it") {
  const std::vector<AddedToken> tokens = {{.content = "ab", .id = 1, .single_word = true}};
  CHECK(cut(tokens, "ab xab ab. abé ab\u0301 ab_ ab") == Strings{"1:ab", " xab ", "1:ab", ". abé ab\u0301 ab_ ", "1:ab"});
}

}  // namespace added_tokens_test
