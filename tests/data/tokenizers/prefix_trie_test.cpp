#include "data/tokenizers/prefix_trie.h"

#include <doctest/doctest.h>

namespace prefix_trie_test {

using namespace preamble;

namespace {

using Entries = std::vector<std::pair<std::string_view, std::int32_t>>;

std::vector<std::pair<std::size_t, std::int32_t>> prefixes(const PrefixTrie& trie, std::string_view text, std::size_t position) {
  std::vector<std::pair<std::size_t, std::int32_t>> found;
  trie.for_each_prefix(text, position, [&](std::size_t bytes, std::int32_t value) { found.emplace_back(bytes, value); });
  return found;
}

}  // namespace

TEST_CASE("prefix_trie: finds all strings that begin at a position, shortest first") {
  const PrefixTrie trie(Entries{{"ab", 1}, {"a", 0}, {"abcd", 2}, {"b", 3}, {"\xFFz", 4}});
  using Found = std::vector<std::pair<std::size_t, std::int32_t>>;
  CHECK(prefixes(trie, "xabcd", 1) == Found{{1, 0}, {2, 1}, {4, 2}});
  CHECK(prefixes(trie, "abcx", 0) == Found{{1, 0}, {2, 1}});
  CHECK(prefixes(trie, "\xFFz", 0) == Found{{2, 4}});
  CHECK(prefixes(trie, "c", 0).empty());
  CHECK(prefixes(trie, "abcd", 4).empty());
  CHECK(trie.longest_prefix("abc", 0) == std::pair<std::size_t, std::int32_t>{2, 1});
  CHECK(trie.longest_prefix("c", 0) == std::pair<std::size_t, std::int32_t>{0, -1});
}

TEST_CASE("prefix_trie: the last of equal strings counts, empty strings do not") {
  const PrefixTrie trie(Entries{{"a", 1}, {"", 9}, {"a", 2}});
  CHECK(trie.longest_prefix("a", 0) == std::pair<std::size_t, std::int32_t>{1, 2});
  CHECK(prefixes(trie, "b", 0).empty());
}

TEST_CASE("prefix_trie: nothing begins anywhere in an empty set") {
  CHECK(prefixes(PrefixTrie(), "a", 0).empty());
  CHECK(prefixes(PrefixTrie(Entries{}), "a", 0).empty());
}

}  // namespace prefix_trie_test
