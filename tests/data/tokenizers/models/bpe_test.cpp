#include "data/tokenizers/models/bpe.h"

#include <doctest/doctest.h>

#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace bpe_test {

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
  std::vector<ModelToken> tokens;
  model.tokenize(text, tokens);
  std::vector<std::string> out;
  for (const auto& [id, begin, end] : tokens) {
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
}

namespace {

Vocabulary words(const std::vector<std::string>& tokens) {
  Vocabulary vocabulary("vocab.json");
  for (std::size_t id = 0; id < tokens.size(); ++id) vocabulary.add(tokens[id], static_cast<std::int64_t>(id));
  return vocabulary;
}

std::vector<ModelToken> tokens_of(const Bpe& model, std::string_view text) {
  std::vector<ModelToken> tokens;
  model.tokenize(text, tokens);
  return tokens;
}

using Tokens = std::vector<ModelToken>;

}  // namespace

TEST_CASE("bpe: an unknown character is the unknown token, alone or with its neighbours, or it is left out") {
  const Vocabulary vocabulary = words({"a", "b", "?"});
  CHECK(tokens_of(Bpe(vocabulary, {}, {.unknown = "?"}), "xxa") == Tokens{{2, 0, 1}, {2, 1, 2}, {0, 2, 3}});
  CHECK(tokens_of(Bpe(vocabulary, {}, {.unknown = "?", .fuse_unknown = true}), "xéa") == Tokens{{2, 0, 3}, {0, 3, 4}});
  CHECK(tokens_of(Bpe(vocabulary, {}), "xa") == Tokens{{0, 0, 1}});
  CHECK_THROWS_WITH_AS(static_cast<void>(tokens_of(Bpe(vocabulary, {}, {.unknown = "!"}), "x")),
                       "tokenizer: no token for 'x', and none '!' for unknown ones; wanted one of them", FileError);
}

TEST_CASE("bpe: with byte_fallback an unknown character becomes its bytes if the vocabulary has them all") {
  const Vocabulary vocabulary = words({"a", "?", "<0xC3>", "<0xA9>"});
  const Bpe model(vocabulary, {}, {.unknown = "?", .fuse_unknown = true, .byte_fallback = true});
  CHECK(tokens_of(model, "aé") == Tokens{{0, 0, 1}, {2, 1, 2}, {3, 2, 3}});
  CHECK(tokens_of(model, "ñ") == Tokens{{1, 0, 2}});
}

TEST_CASE("bpe: with ignore_merges a piece that is a token is taken whole") {
  const Vocabulary vocabulary = words({"a", "b", "ab", "abab"});
  const std::vector<MergeRule> rules = {{"a", "b"}};
  CHECK(tokens_of(Bpe(vocabulary, rules), "abab") == Tokens{{2, 0, 2}, {2, 2, 4}});
  CHECK(tokens_of(Bpe(vocabulary, rules, {.ignore_merges = true}), "abab") == Tokens{{3, 0, 4}});
}

TEST_CASE("bpe: prefixes mark what continues a piece, a suffix what ends it") {
  const Vocabulary vocabulary = words({"a", "#a", "#b", "#b/", "a#b", "ab", "ab/"});
  const Bpe model(vocabulary, std::vector<MergeRule>{{"a", "#b/"}}, {.continuing_prefix = "#", .end_suffix = "/"});
  CHECK(tokens_of(model, "ab") == Tokens{{6, 0, 2}});
  CHECK(tokens_of(model, "abb") == Tokens{{0, 0, 1}, {2, 1, 2}, {3, 2, 3}});
}

}  // namespace bpe_test
