#include "data/tokenizers/models/unigram.h"

#include <doctest/doctest.h>

namespace unigram_test {

using namespace preamble;

namespace {

std::vector<std::string> split(const Unigram& model, std::string_view word) {
  Unigram::Scratch scratch;
  std::vector<std::string> out;
  for (const auto& [id, begin, end] : model.segment(word, scratch)) {
    out.push_back(std::to_string(id) + ":" + std::string(word.substr(begin, end - begin)));
  }
  return out;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("unigram: takes the segmentation with the largest sum of scores") {
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0}, {"a", -1}, {"b", -1}, {"ab", -1.5}, {"abc", -4}, {"c", -1}};
  const Unigram model(pieces, 0);
  CHECK(split(model, "ab") == Strings{"3:ab"});
  CHECK(split(model, "abc") == Strings{"3:ab", "5:c"});
  CHECK(split(model, "").empty());
}

TEST_CASE("unigram: of equal sums the first path found stays") {
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0}, {"a", -1}, {"b", -1}, {"ab", -2}};
  CHECK(split(Unigram(pieces, 0), "ab") == Strings{"3:ab"});
  const std::vector<UnigramPiece> better = {{"<unk>", 0}, {"a", -1}, {"b", -0.5}, {"ab", -2}};
  CHECK(split(Unigram(better, 0), "ab") == Strings{"1:a", "2:b"});
}

TEST_CASE("unigram: neighbouring unknown characters are one segment") {
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0}, {"a", -1}};
  const Unigram model(pieces, 0);
  CHECK(split(model, "xéa☃") == Strings{"0:xé", "1:a", "0:☃"});
}

TEST_CASE("unigram: an unknown costs ten more than the worst piece") {
  // the worst piece costs 20: an unknown and "yz" cost 30, "xy" and "z" 20 and what "z" costs
  const auto model_of = [](double z) { return Unigram(std::vector<UnigramPiece>{{"<unk>", 0}, {"xy", -20}, {"z", z}, {"yz", 0}}, 0); };
  CHECK(split(model_of(-9.5), "xyz") == Strings{"1:xy", "2:z"});
  CHECK(split(model_of(-10.5), "xyz") == Strings{"0:x", "3:yz"});
}

TEST_CASE("unigram: a character that is a piece by itself is never unknown") {
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0}, {"x", -1000}, {"yz", 0}, {"y", -1}};
  CHECK(split(Unigram(pieces, 0), "xyz") == Strings{"1:x", "2:yz"});
}

TEST_CASE("unigram: with byte_fallback what no piece covers becomes its bytes if all are pieces") {
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0}, {"a", -1}, {"<0xC3>", -1}, {"<0xA9>", -1}};
  std::vector<ModelToken> tokens;
  Unigram(pieces, 0, true).tokenize("aé☃", tokens);
  CHECK(tokens == std::vector<ModelToken>{{1, 0, 1}, {0, 1, 6}});
  tokens.clear();
  Unigram(pieces, 0, true).tokenize("éa", tokens);
  CHECK(tokens == std::vector<ModelToken>{{2, 0, 2}, {3, 0, 2}, {1, 2, 3}});
}

}  // namespace unigram_test
