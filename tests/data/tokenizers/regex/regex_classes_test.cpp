#include <cstdint>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "data/delimited.h"
#include "data/tokenizers/regex/regex_tree.h"
#include "engine/core/file.h"
#include "tests/support/golden.h"

namespace regex_classes_test {

using namespace preamble;

namespace {

constexpr char32_t kLastChar = 0x10FFFF;

[[nodiscard]] bool is_surrogate(char32_t c) { return c >= 0xD800 && c <= 0xDFFF; }

/// Members of a set, counted and hashed as tests/golden/regex/make_classes.py does it.
struct Members {
  std::uint64_t count = 0;
  std::uint64_t hash = 0xCBF29CE484222325;

  void add_range(char32_t first, char32_t last) {
    count += last - first + 1;
    for (const char c : fmt::format("{:X}-{:X} ", static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last))) {
      hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001B3;
    }
  }
};

[[nodiscard]] Members members_of(const CharSet& set) {
  Members members;
  bool inside = false;
  char32_t first = 0;
  for (char32_t c = 0; c <= kLastChar + 1; ++c) {
    const bool holds = c <= kLastChar && !is_surrogate(c) && set.contains(c);
    if (holds && !inside) first = c;
    if (!holds && inside) members.add_range(first, c - 1);
    inside = holds;
  }
  return members;
}

/// The set that is all of an expression.
[[nodiscard]] const CharSet& only_set(const RegexNode& node) {
  return node.kind == RegexNode::Kind::set ? node.set : only_set(node.children.front());
}

}  // namespace

TEST_CASE("regex: classes hold what they hold in Hugging Face tokenizers, over all characters, in sets and outside of them") {
  const std::string file = read_text(testing::golden("regex/classes.tsv"));
  DelimitedReader rows("classes.tsv", file, Delimited::tsv);
  int checked = 0;
  while (const auto* row = rows.next()) {
    const std::string expression = row->at(0);
    CAPTURE(expression);
    const Members members = members_of(only_set(parse_regex(expression, "t.json")));
    CHECK(members.count == std::stoull(row->at(1)));
    CHECK(fmt::format("{:016X}", members.hash) == row->at(2));
    ++checked;
  }
  CHECK(checked > 100);
}

}  // namespace regex_classes_test
