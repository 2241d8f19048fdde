#include "data/tokenizers/vocabulary.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace vocabulary_test {

using namespace preamble;

TEST_CASE("vocabulary: finds tokens and ids, with holes") {
  Vocabulary vocabulary("vocab.json");
  vocabulary.add("a", 0);
  vocabulary.add("b", 5);
  CHECK(vocabulary.size() == 6);
  CHECK(vocabulary.find("b") == 5);
  CHECK_FALSE(vocabulary.find("c").has_value());
  REQUIRE(vocabulary.token(5) != nullptr);
  CHECK(*vocabulary.token(5) == "b");
  CHECK(vocabulary.token(3) == nullptr);
  CHECK(vocabulary.token(6) == nullptr);
  CHECK(vocabulary.token(-1) == nullptr);
}

TEST_CASE("vocabulary: a token that comes twice is found under its last id") {
  Vocabulary vocabulary("vocab.txt");
  vocabulary.add("a", 0);
  vocabulary.add("a", 1);
  CHECK(vocabulary.find("a") == 1);
  CHECK(*vocabulary.token(0) == "a");
}

TEST_CASE("vocabulary: refuses ids that cannot be") {
  Vocabulary vocabulary("vocab.json");
  vocabulary.add("a", 0);
  CHECK_THROWS_WITH_AS(vocabulary.add("b", 0), "vocab.json: id 0 is 'a' and 'b'; wanted one token", FileError);
  CHECK_THROWS_WITH_AS(vocabulary.add("b", -1), "vocab.json: id -1 of 'b'; wanted 0 to 4194303", FileError);
  CHECK_THROWS_WITH_AS(vocabulary.add("b", 4'000'000'000), "vocab.json: id 4000000000 of 'b'; wanted 0 to 4194303", FileError);
}

}  // namespace vocabulary_test
