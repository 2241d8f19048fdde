#include "data/tokenizers/sentencepiece_model.h"

#include <limits>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/tokenizers/builders.h"
#include "tests/support/temporary_file.h"

namespace sentencepiece_model_test {

using namespace preamble;

namespace {

void refuse(const std::string& bytes, const std::string& message) {
  const testing::TemporaryFile file("m.model", bytes);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_sentencepiece_model(file.path())), (file.name() + message).c_str(), FileError);
}

const std::vector<UnigramPiece> kPieces = {{"<pad>", 0}, {"</s>", 0}, {"<unk>", 0}, {"▁a", -1.5}};

}  // namespace

TEST_CASE("sentencepiece_model: reads pieces, scores, the unknown and the charsmap") {
  const testing::TemporaryFile file("m.model", testing::sentencepiece_file(kPieces, 2, "map"));
  const SentencePieceModel model = read_sentencepiece_model(file.path());
  REQUIRE(model.pieces.size() == 4);
  CHECK(model.pieces[3].text == "▁a");
  CHECK(model.pieces[3].score == -1.5);
  CHECK(model.unknown == 2);
  CHECK(model.charsmap == "map");
  CHECK(model.types[2] == PieceType::unknown);
  CHECK_FALSE(model.is_bpe);
  const testing::TemporaryFile bpe("m.model", testing::sentencepiece_file(kPieces, 2, "", 2));
  CHECK(read_sentencepiece_model(bpe.path()).is_bpe);
}

TEST_CASE("sentencepiece_model: skips fields it does not know, of every wire type") {
  std::string bytes = testing::sentencepiece_file(kPieces, 2);
  testing::append_number_field(bytes, 1000, 1ULL << 63);
  testing::append_bytes_field(bytes, 77, "whatever");
  testing::append_varint(bytes, 78 << 3 | 1);
  bytes += "eight...";
  testing::append_varint(bytes, 79 << 3 | 5);
  bytes += "four";
  const testing::TemporaryFile file("m.model", bytes);
  CHECK(read_sentencepiece_model(file.path()).pieces.size() == 4);
}

TEST_CASE("sentencepiece_model: refuses what is not a whole unigram model") {
  refuse("", ": 0 pieces, none of type UNKNOWN; wanted a SentencePiece model");
  refuse("\x0A\x7Fshort", ": ends at byte 7; wanted 127 bytes from byte 2 on");
  refuse("\x0B", ": wire type 3 before byte 1 of a message; wanted a SentencePiece model");
  refuse(std::string(11, '\xFF'), ": a number of more than 10 bytes before byte 10 of a message; wanted a SentencePiece model");
  refuse(std::string("\x08\x01", 2), ": field 1 of wire type 0; wanted bytes");
  refuse("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", ": ends at byte 11; wanted 18446744073709551615 bytes from byte 11 on");
  refuse(testing::sentencepiece_file({{"\xFF", 0}}, 0), ": piece 0 is not UTF-8");
  refuse(testing::sentencepiece_file({{"a", std::numeric_limits<double>::quiet_NaN()}}, 0),
         ": piece 0 has the score nan; wanted a finite one");
  refuse(testing::sentencepiece_file(kPieces, 9), ": 4 pieces, none of type UNKNOWN; wanted a SentencePiece model");
}

TEST_CASE("sentencepiece_model: refuses other types of models by name") {
  const testing::TemporaryFile file("m.model", testing::sentencepiece_file(kPieces, 2, "", 3));
  CHECK_THROWS_WITH_AS(static_cast<void>(read_sentencepiece_model(file.path())),
                       (file.name() + ": a SentencePiece model of type word; wanted unigram or BPE").c_str(), UnsupportedError);
}

}  // namespace sentencepiece_model_test
