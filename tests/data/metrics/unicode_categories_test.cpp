#include "data/metrics/unicode_categories.h"

#include <initializer_list>

#include <doctest/doctest.h>

namespace unicode_categories_test {

using namespace preamble::metrics;

TEST_CASE("unicode_categories: punctuation and symbols are told apart") {
  for (const char32_t c : {U'!', U'-', U'_', U'«', U'—', U'、', U'…'}) CHECK(is_punctuation(c));
  for (const char32_t c : {U'$', U'+', U'^', U'`', U'~', U'€', U'£', U'≈', U'😀'}) CHECK(is_symbol(c));
  for (const char32_t c : {U'a', U'5', U' ', U'é', U'一', U'²'}) {
    CHECK_FALSE(is_punctuation(c));
    CHECK_FALSE(is_symbol(c));
  }
}

TEST_CASE("unicode_categories: no character is in both") {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (is_punctuation(c) && is_symbol(c)) FAIL("in both: " << static_cast<unsigned long>(c));
  }
}

}  // namespace unicode_categories_test
