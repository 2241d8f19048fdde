#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/pre_tokenizers/pre_tokenizer.h"
#include "engine/core/error.h"

namespace read_pre_tokenizer_test {

using namespace preamble;
using nlohmann::json;

namespace {

using Strings = std::vector<std::string>;

Strings cut(const json& description, std::string_view text, std::int32_t base = 0) {
  std::vector<AlignedText> pieces;
  read_pre_tokenizer(description, "t.json")->cut(AlignedText(text, base), {}, pieces);
  Strings out;
  for (const auto& piece : pieces) out.push_back(piece.text());
  return out;
}

json of_type(const char* type) { return {{"type", type}}; }

}  // namespace

TEST_CASE("read_pre_tokenizer: splits by classes of characters") {
  CHECK(cut(of_type("WhitespaceSplit"), " a.b \u3000c") == Strings{"a.b", "c"});
  CHECK(cut(of_type("Whitespace"), "don't go, é_1!?") == Strings{"don", "'", "t", "go", ",", "é_1", "!?"});
  CHECK(cut(of_type("BertPreTokenizer"), "don't go!?") == Strings{"don", "'", "t", "go", "!", "?"});
  CHECK(cut({{"type", "Digits"}, {"individual_digits", true}}, "a12½") == Strings{"a", "1", "2", "½"});
  CHECK(cut({{"type", "Digits"}, {"individual_digits", false}}, "a12b") == Strings{"a", "12", "b"});
  CHECK(cut({{"type", "Punctuation"}, {"behavior", "Contiguous"}}, "a!?b") == Strings{"a", "!?", "b"});
  CHECK(cut({{"type", "FixedLength"}, {"length", 2}}, "aébcd") == Strings{"aé", "bc", "d"});
  CHECK(cut({{"type", "CharDelimiterSplit"}, {"delimiter", "|"}}, "a||b|") == Strings{"a", "b"});
}

TEST_CASE("read_pre_tokenizer: Split by a string or an expression, and inverted") {
  const json words = {{"type", "Split"}, {"pattern", {{"Regex", "\\w+"}}}, {"behavior", "Removed"}, {"invert", true}};
  CHECK(cut(words, "a, bc") == Strings{"a", "bc"});
  const json spaces = {{"type", "Split"}, {"pattern", {{"String", " "}}}, {"behavior", "MergedWithPrevious"}, {"invert", false}};
  CHECK(cut(spaces, "a b") == Strings{"a ", "b"});
}

TEST_CASE("read_pre_tokenizer: ByteLevel writes bytes, with or without GPT-2's split and a space in front") {
  CHECK(cut({{"type", "ByteLevel"}, {"add_prefix_space", false}}, "it's é") == Strings{"it", "'s", "ĠÃ©"});
  CHECK(cut({{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", false}}, "a b") == Strings{"ĠaĠb"});
  std::vector<AlignedText> pieces;
  read_pre_tokenizer({{"type", "ByteLevel"}, {"add_prefix_space", false}}, "t.json")
      ->cut(AlignedText("a"), {.add_prefix_space = true}, pieces);
  CHECK(pieces.front().text() == "Ġa");
}

TEST_CASE("read_pre_tokenizer: Metaspace in its old and new forms") {
  CHECK(cut({{"type", "Metaspace"}, {"replacement", "▁"}, {"add_prefix_space", true}}, "a  b") == Strings{"▁a", "▁", "▁b"});
  CHECK(cut({{"type", "Metaspace"}, {"str_rep", "▁"}, {"add_prefix_space", false}}, "a b") == Strings{"a", "▁b"});
  const json first = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}, {"split", false}};
  CHECK(cut(first, "a b") == Strings{"▁a▁b"});
  CHECK(cut(first, " a") == Strings{"▁a"});
  CHECK(cut(first, "a", 4) == Strings{"a"});
  CHECK(cut({{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "never"}}, "a b") == Strings{"a", "▁b"});
}

TEST_CASE("read_pre_tokenizer: a sequence cuts what is left") {
  const json parts = {{"type", "Sequence"}, {"pretokenizers", {of_type("WhitespaceSplit"), {{"type", "Digits"}, {"individual_digits", true}}}}};
  CHECK(cut(parts, "a1 23") == Strings{"a", "1", "2", "3"});
}

TEST_CASE("read_pre_tokenizer: null is none, an unknown kind is refused by name") {
  CHECK(read_pre_tokenizer(json(), "t.json") == nullptr);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_pre_tokenizer(of_type("UnicodeScripts"), "t.json")),
                       "t.json: the pre-tokenizer UnicodeScripts is not built in", UnsupportedError);
}

}  // namespace read_pre_tokenizer_test
