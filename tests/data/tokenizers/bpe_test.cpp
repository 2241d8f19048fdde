#include "data/tokenizers/bpe.h"

#include <doctest/doctest.h>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

using namespace preamble;

namespace {

Vocabulary bytes_and(const std::vector<std::string>& tokens) {
  Vocabulary vocabulary("vocab.json");
  std::int64_t id = 0;
  for (int byte = 0; byte < 256; ++byte)
    vocabulary.add(encode_utf8(std::u32string(1, byte_to_char(static_cast<unsigned char>(byte)))), id++);
  for (const auto& token : tokens) vocabulary.add(token, id++);
  return vocabulary;
}

std::vector<std::string> merged(const std::vector<MergeRule>& rules, std::string_view text) {
  std::vector<std::string> results;
  for (const auto& [left, right] : rules) results.push_back(left + right);
  const Vocabulary vocabulary = bytes_and(results);
  const Bpe model(vocabulary, rules);
  Bpe::Scratch scratch;
  std::vector<std::string> out;
  for (const auto& [id, begin, end] : model.segment(text, scratch)) {
    CHECK(*vocabulary.token(id) == text.substr(begin, end - begin));
    out.emplace_back(text.substr(begin, end - begin));
  }
  return out;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("bpe: the lowest rank merges first") {
  CHECK(merged({{"b", "c"}, {"a", "b"}}, "abc") == Strings{"a", "bc"});
  CHECK(merged({{"a", "b"}, {"b", "c"}}, "abc") == Strings{"ab", "c"});
  CHECK(merged({{"a", "b"}, {"ab", "c"}}, "abcab") == Strings{"abc", "ab"});
}

TEST_CASE("bpe: of equal ranks the leftmost place merges first") {
  CHECK(merged({{"a", "a"}}, "aaa") == Strings{"aa", "a"});
  CHECK(merged({{"a", "a"}, {"aa", "aa"}}, "aaaaaa") == Strings{"aaaa", "aa"});
}

TEST_CASE("bpe: no rule leaves the bytes") {
  CHECK(merged({}, "ab") == Strings{"a", "b"});
  CHECK(merged({}, "").empty());
}

TEST_CASE("bpe: a long piece takes no quadratic time") {
  std::vector<MergeRule> rules;
  for (std::string run = "a"; run.size() < 64; run += run) rules.emplace_back(run, run);
  CHECK(merged(rules, std::string(1 << 20, 'a')).size() == (1 << 20) / 64);
}

TEST_CASE("bpe: refuses a vocabulary with a hole") {
  const Vocabulary vocabulary = bytes_and({"ab"});
  CHECK_THROWS_WITH_AS(Bpe(vocabulary, std::vector<MergeRule>{{"b", "c"}}), "vocab.json: no token 'bc', result of a merge; wanted one",
                       FileError);
  CHECK_THROWS_WITH_AS(Bpe(vocabulary, std::vector<MergeRule>{{"bc", "c"}}), "vocab.json: no token 'bc', part of a merge; wanted one",
                       FileError);
  const Vocabulary empty("vocab.json");
  CHECK_THROWS_WITH_AS(Bpe(empty, {}), "vocab.json: no token 'Ā', one of the 256 bytes; wanted one", FileError);
}
