#include "data/tokenizers/aligned_text.h"

#include <doctest/doctest.h>

#include "data/tokenizers/pattern.h"

namespace aligned_text_test {

using namespace preamble;

TEST_CASE("aligned_text: bytes know their character") {
  const AlignedText text("aé☃", 3);
  CHECK(text.base() == 3);
  CHECK(text.origin(0, 1) == CharRange{3, 4});
  CHECK(text.origin(1, 6) == CharRange{4, 6});
}

TEST_CASE("aligned_text: what replaces takes a place, what is added shares the one before") {
  AlignedText text("aéc");
  text.rewrite(std::vector<AlignedText::Step>{{U'x', 0}, {U'y', 1}, {U'z', -1}});
  CHECK(text.text() == "xyz");
  CHECK(text.origin(1, 2) == CharRange{0, 1});
  CHECK(text.origin(2, 3) == CharRange{1, 2});
  AlignedText late("abc");
  late.rewrite(std::vector<AlignedText::Step>{{U'c', 0}}, 2);
  CHECK(late.origin(0, 1) == CharRange{2, 3});
  AlignedText early("ab", 5);
  early.rewrite(std::vector<AlignedText::Step>{{U'x', 1}, {U'a', 0}});
  CHECK(early.origin(0, 1) == CharRange{5, 5});
}

TEST_CASE("aligned_text: filtering, prepending, replacing and slicing keep the places") {
  AlignedText text("a-b--c");
  text.replace(Pattern::of_string("--").pieces(text.text()), "☃");
  CHECK(text.text() == "a-b☃c");
  CHECK(text.origin(3, 6) == CharRange{4, 5});
  text.filter([](char32_t c) { return c != U'-' && c != U'a'; });
  CHECK(text.text() == "b☃c");
  CHECK(text.origin(0, 1) == CharRange{2, 3});
  text.prepend("▁");
  CHECK(text.origin(0, 3) == CharRange{2, 3});
  const AlignedText part = text.slice({3, 4});
  CHECK(part.text() == "b");
  CHECK(part.base() == 2);
  AlignedText empty("");
  empty.prepend("x");
  CHECK(empty.empty());
}

}  // namespace aligned_text_test
