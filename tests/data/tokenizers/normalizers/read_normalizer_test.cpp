#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/normalizers/normalizer.h"
#include "engine/core/error.h"

namespace read_normalizer_test {

using namespace preamble;
using nlohmann::json;

namespace {

std::string normalized(const json& description, std::string_view text) {
  AlignedText out(text);
  read_normalizer(description, "t.json")->normalize(out);
  return out.text();
}

json of_type(const char* type) { return {{"type", type}}; }

}  // namespace

TEST_CASE("read_normalizer: forms of Unicode") {
  CHECK(normalized(of_type("NFD"), "é한") == "e\u0301\u1112\u1161\u11AB");
  CHECK(normalized(of_type("NFC"), "e\u0301\u1112\u1161\u11AB") == "é한");
  CHECK(normalized(of_type("NFKD"), "ﬁé²") == "fie\u03012");
  CHECK(normalized(of_type("NFKC"), "ﬁe\u0301Ａ") == "fiéA");
  // the mark below comes first, and does not keep the one above from joining
  CHECK(normalized(of_type("NFC"), "a\u0301\u0323") == "ạ\u0301");
  CHECK(normalized(of_type("NFC"), "\u0958") == "\u0915\u093C");
}

TEST_CASE("read_normalizer: NFC counts what a character was made of") {
  AlignedText out("e\u0301x");
  read_normalizer(of_type("NFC"), "t.json")->normalize(out);
  CHECK(out.origin(0, 2) == CharRange{0, 1});
  CHECK(out.origin(2, 3) == CharRange{2, 3});
}

TEST_CASE("read_normalizer: characters") {
  CHECK(normalized(of_type("Lowercase"), "ÀİΣ") == "ài\u0307σ");
  CHECK(normalized(of_type("StripAccents"), "e\u0301é") == "eé");
  CHECK(normalized({{"type", "Strip"}, {"strip_left", true}, {"strip_right", false}}, " \u3000a ") == "a ");
  CHECK(normalized({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}}, "  ").empty());
  CHECK(normalized(of_type("Nmt"), "a\u0001\tb\u200Bc") == "a b c");
  CHECK(normalized(of_type("ByteLevel"), " é") == "ĠÃ©");
}

TEST_CASE("read_normalizer: what puts text in") {
  CHECK(normalized({{"type", "Replace"}, {"pattern", {{"String", "a."}}}, {"content", "x"}}, "a.ab") == "xab");
  CHECK(normalized({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}}, "a   b c") == "a b c");
  CHECK(normalized({{"type", "Prepend"}, {"prepend", "▁"}}, " a") == "▁ a");
  CHECK(normalized({{"type", "Prepend"}, {"prepend", "▁"}}, "").empty());
}

TEST_CASE("read_normalizer: a sequence runs in order") {
  const json lower_then_strip = {{"type", "Sequence"}, {"normalizers", {of_type("NFD"), of_type("StripAccents"), of_type("Lowercase")}}};
  CHECK(normalized(lower_then_strip, "CAFÉ") == "cafe");
}

TEST_CASE("read_normalizer: null is none, an unknown kind is refused by name") {
  CHECK(read_normalizer(json(), "t.json") == nullptr);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_normalizer(of_type("Zalgo"), "t.json")), "t.json: the normalizer Zalgo is not built in",
                       UnsupportedError);
}

}  // namespace read_normalizer_test
