#include "data/metrics/caption_tokens.h"

#include <doctest/doctest.h>

namespace caption_tokens_test {

using namespace preamble::metrics;

TEST_CASE("caption_tokens: splits contractions, currency and hyphens at one side") {
  CHECK(join_tokens(caption_tokens("X's £20-£25, it isn't \"A\"-b: 1.5 a.b (c) 3-star e.g. No. 5/5 - ok...fine. "
                                   "'Otto' can't cannot 1,000 .end")) ==
        "x 's £ 20 £ 25 it is n't a b 1.5 a.b c 3-star e.g no 5/5 ok fine otto ca n't can not 1,000 .end");
}

TEST_CASE("caption_tokens: splits fused words only when they stand alone") {
  CHECK(join_tokens(caption_tokens("I'm gonna, wanna; gotta go. cannots")) == "i 'm gon na wan na got ta go cannots");
}

TEST_CASE("caption_tokens: ellipses, dashes and quotes vanish") {
  CHECK(join_tokens(caption_tokens("well… so -- 'quoted' “text”.... end")) == "well so quoted “ text ” end");
}

TEST_CASE("caption_tokens: empty text has no tokens") {
  CHECK(caption_tokens("").empty());
  CHECK(caption_tokens(" .,!? ").empty());
}

}  // namespace caption_tokens_test
