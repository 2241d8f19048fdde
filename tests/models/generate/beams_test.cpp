#include "models/generate/beams.h"

#include <doctest/doctest.h>

namespace beams_test {

using namespace preamble;

namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::int64_t kVocabulary = 10;
constexpr std::int32_t kEnd = 1;

GenerationConfig two_beams(EarlyStopping early_stopping) {
  GenerationConfig config;
  config.num_beams = 2;
  config.max_new_tokens = 5;
  config.eos_token_ids = {kEnd};
  config.early_stopping = early_stopping;
  return config;
}

Candidate candidate(std::int64_t beam, std::int32_t token, float score) { return {score, beam * kVocabulary + token}; }

}  // namespace

TEST_CASE("beams: the best that do not end go on, with their parents") {
  Beams beams(two_beams(EarlyStopping::no), Ids{5, 6});
  beams.advance(std::vector{candidate(0, 3, -1), candidate(0, kEnd, -2), candidate(0, 4, -3), candidate(0, 2, -4)}, kVocabulary);
  CHECK(Ids(beams.ids(0).begin(), beams.ids(0).end()) == Ids{5, 6, 3});
  CHECK(Ids(beams.ids(1).begin(), beams.ids(1).end()) == Ids{5, 6, 4});
  CHECK(beams.score(1) == -3);
  beams.advance(std::vector{candidate(1, 8, -3.5F), candidate(0, 7, -3.6F), candidate(1, 7, -4), candidate(0, 8, -5)}, kVocabulary);
  CHECK(beams.parent(0) == 1);
  CHECK(beams.parent(1) == 0);
  CHECK(Ids(beams.ids(0).begin(), beams.ids(0).end()) == Ids{5, 6, 4, 8});
  CHECK(beams.best(2) == std::vector<Ids>{{5, 6, kEnd}, {5, 6}});
}

TEST_CASE("beams: an end below the best num_beams is not kept") {
  Beams beams(two_beams(EarlyStopping::no), Ids{5});
  beams.advance(std::vector{candidate(0, 3, -1), candidate(0, 4, -2), candidate(0, kEnd, -3), candidate(0, 2, -4)}, kVocabulary);
  CHECK(beams.best(1) == std::vector<Ids>{{5}});
}

TEST_CASE("beams: scores are divided by the generated length, prompt not counted") {
  auto config = two_beams(EarlyStopping::no);
  config.length_penalty = 2;
  Beams beams(config, Ids{5, 5, 5});
  beams.advance(std::vector{candidate(0, 3, -0.5F), candidate(0, kEnd, -1), candidate(0, 4, -9), candidate(0, 2, -9)}, kVocabulary);
  // -3 / 2^2 > -1 / 1
  beams.advance(std::vector{candidate(0, 6, -0.7F), candidate(0, kEnd, -3), candidate(0, 4, -9), candidate(0, 2, -9)}, kVocabulary);
  CHECK(beams.best(2) == std::vector<Ids>{{5, 5, 5, 3, kEnd}, {5, 5, 5, kEnd}});
}

TEST_CASE("beams: when to stop with all beams finished") {
  for (const auto mode : {EarlyStopping::yes, EarlyStopping::no, EarlyStopping::never}) {
    CAPTURE(static_cast<int>(mode));
    Beams beams(two_beams(mode), Ids{5});
    beams.advance(std::vector{candidate(0, kEnd, -1), candidate(0, 3, -1.5F), candidate(0, 4, -1.6F), candidate(0, 2, -9)}, kVocabulary);
    CHECK_FALSE(beams.done());
    // worst finished: -6 / 2 = -3; running: -7 / 2 now, -7 / 5 at the limit
    beams.advance(std::vector{candidate(1, 3, -5.5F), candidate(0, kEnd, -6), candidate(0, 4, -7), candidate(0, 2, -9)}, kVocabulary);
    CHECK(beams.done() == (mode == EarlyStopping::yes));
    if (mode == EarlyStopping::yes) continue;
    beams.advance(std::vector{candidate(0, 3, -9.5F), candidate(0, 4, -9.6F), candidate(0, 2, -9.7F), candidate(1, 2, -9.8F)}, kVocabulary);
    // -9.5 / 3 < -3 < -9.5 / 5
    CHECK(beams.done() == (mode == EarlyStopping::no));
  }
}

TEST_CASE("beams: with a negative length penalty the present length is the best for a running beam") {
  auto config = two_beams(EarlyStopping::never);
  config.length_penalty = -1;
  Beams beams(config, Ids{5});
  beams.advance(std::vector{candidate(0, kEnd, -1), candidate(0, 3, -1.5F), candidate(0, 4, -1.6F), candidate(0, 2, -9)}, kVocabulary);
  // worst finished: -8 * 2; running: -5.5 * 2 now, -5.5 * 5 at the limit
  beams.advance(std::vector{candidate(1, 3, -5.5F), candidate(0, kEnd, -8), candidate(0, 4, -9), candidate(0, 2, -9)}, kVocabulary);
  CHECK_FALSE(beams.done());
}

TEST_CASE("beams: the length limit finishes all") {
  auto config = two_beams(EarlyStopping::never);
  config.max_new_tokens = 1;
  Beams beams(config, Ids{5});
  beams.advance(std::vector{candidate(0, 3, -1), candidate(0, 4, -2), candidate(0, kEnd, -3), candidate(0, 2, -4)}, kVocabulary);
  CHECK(beams.done());
  CHECK(beams.best(2) == std::vector<Ids>{{5, 3}, {5, 4}});
}

}  // namespace beams_test
