#include "models/blank_filling.h"

#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/encoder_batch.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace blank_filling_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Numbers = std::vector<std::int32_t>;

constexpr std::int32_t kStart = 100, kMask = 101, kOther = 102;
const BlankTokens kTokens{.start = kStart, .end = 103, .masks = {kMask, kOther}};

}  // namespace

TEST_CASE("blank positions: part A, and a piece for each blank") {
  const BlankPositions found = blank_positions({1, kMask, 2, kOther, 3, kStart, 4, 5, kStart, 6, kStart, 7}, kTokens, 0);
  CHECK(found.context == 5);
  CHECK(found.positions == Numbers{0, 1, 2, 3, 4, 1, 1, 1, 3, 3, 3, 3});
  CHECK(found.block_positions == Numbers{0, 0, 0, 0, 0, 1, 2, 3, 1, 2, 1, 2});
}

TEST_CASE("blank positions: without a piece all is part A, and a piece needs a mask") {
  const BlankPositions found = blank_positions({1, kMask, 2}, kTokens, 0);
  CHECK(found.context == 3);
  CHECK(found.positions == Numbers{0, 1, 2});
  CHECK(found.block_positions == Numbers{0, 0, 0});
  CHECK_THROWS_WITH_AS((void)blank_positions({1, kStart, 4}, kTokens, 7),
                       "sequence 7: a piece begins behind a text without a mask; wanted one", ConfigError);
  CHECK(opened({1, kMask}, kTokens) == Numbers{1, kMask, kStart});
}

TEST_CASE("blank positions: a prompt's rows belong to part A, and tables end") {
  Conditioning prompted;
  prompted.prompt = PromptRows{};
  prompted.prompt->space.slots.append(2);
  EncoderLimits limits;
  limits.inputs = {200, {8, 0}};
  limits.blanks = BlankFilling{.block_positions = 4, .tokens = kTokens};
  EncoderBatch batch;
  batch.sequences = {{1, kMask, kStart, 4}};
  const BlankPositions found = row_positions(batch, 0, prompted, limits);
  CHECK(found.context == 4);
  CHECK(found.positions == Numbers{0, 1, 2, 3, 3, 3});
  CHECK(found.block_positions == Numbers{0, 0, 0, 0, 1, 2});
  batch.sequences = {{1, kMask, kStart, 4, 5, 6}};
  CHECK_THROWS_WITH_AS((void)row_positions(batch, 0, {}, limits), "sequence 0: a piece needs position 4 inside it; the model has 3",
                       ShapeError);
  batch.sequences = {{1, 1, 1, 1, 1, 1, kMask}};
  CHECK_THROWS_WITH_AS((void)row_positions(batch, 0, prompted, limits),
                       "sequence 0: 9 positions are needed, virtual tokens included; the model has 8", ShapeError);
  batch.positions = {{0, 1, 2, 3, 4, 5, 6}};
  CHECK_THROWS_WITH_AS((void)row_positions(batch, 0, {}, limits),
                       "batch: positions, block positions and contexts; wanted all of them or none", ShapeError);
}

TEST_CASE("blank tokens: those of a folder, or none") {
  const auto tokens = BlankTokens::read(golden("glm/model"));
  REQUIRE(tokens.has_value());
  CHECK(tokens->start == 112);
  CHECK(tokens->end == 113);
  CHECK(tokens->masks == Numbers{115, 118, 119});
  const TemporaryFolder folder;
  folder.write("added_tokens.json", R"({"<|startofpiece|>": 5})");
  CHECK_FALSE(BlankTokens::read(folder.path()).has_value());
  CHECK_THROWS_AS((void)BlankFilling{}.required("generation"), ConfigError);
  // the mask stands in the vocabulary, the others are added
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  folder.write("added_tokens.json", R"({"<|startofpiece|>": 5, "<|endofpiece|>": 6})");
  CHECK(BlankTokens::read(folder.path())->masks == Numbers{4});
}

}  // namespace blank_filling_test
