#include "data/tokenizers/base64.h"

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace base64_test {

using namespace preamble;

TEST_CASE("base64: decodes the examples of RFC 4648") {
  CHECK(decode_base64("", "f") == "");
  CHECK(decode_base64("Zg==", "f") == "f");
  CHECK(decode_base64("Zm8=", "f") == "fo");
  CHECK(decode_base64("Zm9v", "f") == "foo");
  CHECK(decode_base64("Zm9vYmE=", "f") == "fooba");
  CHECK(decode_base64("+/8A", "f") == std::string("\xFB\xFF\0", 3));
}

TEST_CASE("base64: refuses what is not base64") {
  CHECK_THROWS_WITH_AS(static_cast<void>(decode_base64("Zg=", "t.json")), "t.json: base64 of 3 characters; wanted a multiple of four",
                       FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(decode_base64("Z*==", "t.json")),
                       "t.json: character 42 in base64; wanted a letter, a digit, '+' or '/'", FileError);
  CHECK_THROWS_AS(static_cast<void>(decode_base64("Z===", "t.json")), FileError);
}

}  // namespace base64_test
