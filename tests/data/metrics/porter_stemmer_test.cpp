#include "data/metrics/porter_stemmer.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/data/metrics/metric_cases.h"

namespace porter_stemmer_test {

using namespace preamble;
using namespace preamble::metrics;

TEST_CASE("porter_stemmer: agrees with NLTK in both variants") {
  for (const auto& item : testing::metric_cases().at("stems")) {
    const auto word = item.at(0).get<std::string>();
    CAPTURE(word);
    CHECK(porter_stem(word, PorterVariant::nltk) == item.at(1).get<std::string>());
    CHECK(porter_stem(word, PorterVariant::original) == item.at(2).get<std::string>());
  }
}

TEST_CASE("porter_stemmer: short and empty words are taken") {
  CHECK(porter_stem("", PorterVariant::nltk).empty());
  CHECK(porter_stem("", PorterVariant::original).empty());
  CHECK(porter_stem("as", PorterVariant::nltk) == "as");
  CHECK(porter_stem("as", PorterVariant::original) == "a");
}

}  // namespace porter_stemmer_test
