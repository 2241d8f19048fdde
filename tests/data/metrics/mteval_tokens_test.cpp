#include "data/metrics/mteval_tokens.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/data/metrics/metric_cases.h"

namespace mteval_tokens_test {

using namespace preamble;
using namespace preamble::metrics;

TEST_CASE("mteval_tokens: agrees with sacreBLEU's 13a and intl") {
  for (const auto& item : testing::metric_cases().at("tokens")) {
    const auto text = item.at("text").get<std::string>();
    CAPTURE(text);
    CHECK(join_tokens(mteval_tokens(text)) == item.at("13a").get<std::string>());
    CHECK(join_tokens(international_tokens(text)) == item.at("intl").get<std::string>());
  }
}

TEST_CASE("mteval_tokens: periods and commas between digits stay, hyphens after digits go") {
  CHECK(join_tokens(mteval_tokens("X's £20-25, café \"A\"-b: 1.5 a.b (c) No. 5/5.")) ==
        "X's £20 - 25 , café \" A \" -b : 1.5 a . b ( c ) No . 5 / 5 .");
}

TEST_CASE("mteval_tokens: joins lines and drops hyphens at line ends") {
  CHECK(join_tokens(mteval_tokens("over-\nflow\nnext")) == "overflow next");
}

TEST_CASE("mteval_tokens: the Perl program lower-cases ASCII alone") {
  CHECK(join_tokens(lowercased_mteval_tokens("CAFÉ Bar", MtevalProgram::perl)) == "cafÉ bar");
  CHECK(join_tokens(lowercased_mteval_tokens("CAFÉ Bar", MtevalProgram::python)) == "café bar");
}

}  // namespace mteval_tokens_test
