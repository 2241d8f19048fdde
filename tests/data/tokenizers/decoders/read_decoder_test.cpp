#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/decoders/decoder.h"
#include "engine/core/error.h"

namespace read_decoder_test {

using namespace preamble;
using nlohmann::json;

namespace {

using Strings = std::vector<std::string>;

std::string decoded(const json& description, Strings tokens) {
  read_decoder(description, "t.json")->decode(tokens);
  std::string text;
  for (const auto& token : tokens) text += token;
  return text;
}

}  // namespace

TEST_CASE("read_decoder: each kind") {
  CHECK(decoded({{"type", "ByteLevel"}}, {"a", "ĠÃ", "©", "☃"}) == "a é☃");
  CHECK(decoded({{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}, {"un", "##do", ",", "it", "'s"}) == "undo, it's");
  CHECK(decoded({{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", false}}, {"a", ","}) == "a ,");
  CHECK(decoded({{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}}, {"▁a", "▁b"}) == "a b");
  CHECK(decoded({{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "never"}}, {"▁a"}) == " a");
  CHECK(decoded({{"type", "BPEDecoder"}, {"suffix", "</w>"}}, {"a</w>", "b", "c</w>"}) == "a bc");
  CHECK(decoded({{"type", "ByteFallback"}}, {"a", "<0xC3>", "<0xA9>", "b", "<0xC3>", "<0x41>"}) == "aéb\uFFFD\uFFFD");
  CHECK(decoded({{"type", "ByteFallback"}}, {"<0xG1>"}) == "<0xG1>");
  CHECK(decoded({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 1}}, {"  a  "}) == " a ");
  CHECK(decoded({{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}}, {"▁a▁"}) == " a ");
}

TEST_CASE("read_decoder: a sequence of Llama's kind drops one space in front") {
  const json llama = {{"type", "Sequence"},
                      {"decoders",
                       {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                        {{"type", "ByteFallback"}},
                        {{"type", "Fuse"}},
                        {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  CHECK(decoded(llama, {"▁", "▁a", "▁b"}) == " a b");
}

TEST_CASE("read_decoder: null is none, CTC is refused by name") {
  CHECK(read_decoder(json(), "t.json") == nullptr);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_decoder({{"type", "CTC"}}, "t.json")), "t.json: the decoder CTC is not built in",
                       UnsupportedError);
}

}  // namespace read_decoder_test
