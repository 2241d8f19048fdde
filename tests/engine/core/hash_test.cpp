#include "engine/core/hash.h"

#include <array>
#include <set>
#include <string_view>

#include <doctest/doctest.h>

namespace hash_test {

using namespace preamble;

TEST_CASE("fnv1a: has the published values") {
  const auto hash = [](std::string_view text) { return fnv1a(kHashSeed, text.data(), text.size()); };
  CHECK(hash("") == 0xCBF29CE484222325ULL);
  CHECK(hash("a") == 0xAF63DC4C8601EC8CULL);
  CHECK(hash("foobar") == 0x85944171F73967E8ULL);
}

TEST_CASE("hash_words: changes with any bit, and with the order of words") {
  std::array<std::uint64_t, 3> words = {1, 2, 3};
  std::set<std::uint64_t> hashes = {hash_words(kHashSeed, words.data(), sizeof words)};
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (int bit = 0; bit < 64; ++bit) {
      words[i] ^= 1ULL << bit;
      hashes.insert(hash_words(kHashSeed, words.data(), sizeof words));
      words[i] ^= 1ULL << bit;
    }
  }
  words = {2, 1, 3};
  hashes.insert(hash_words(kHashSeed, words.data(), sizeof words));
  CHECK(hashes.size() == 1 + 3 * 64 + 1);
  CHECK(hash_words(kHashSeed, words.data(), 0) == kHashSeed);
}

}  // namespace hash_test
