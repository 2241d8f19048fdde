#include "data/gzip.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "data/table.h"
#include "engine/core/error.h"
#include "tests/support/packed.h"
#include "tests/support/temporary_file.h"

namespace gzip_test {

using namespace preamble;
using testing::packed;

TEST_CASE("gzip: members follow each other, and long content comes in blocks") {
  std::string text;
  for (int i = 0; i < 50000; ++i) text += std::to_string(i * 7919) + "\n";
  CHECK(gunzip(packed(text) + packed("end"), "f") == text + "end");
  CHECK(gunzip(packed(""), "f").empty());
}

TEST_CASE("gzip: damaged and truncated files are errors") {
  const std::string whole = packed("some text that is long enough to be cut");
  CHECK_THROWS_WITH_AS((void)gunzip(std::string_view(whole).substr(0, whole.size() - 9), "f.gz"),
                       "f.gz: it ends too early; wanted a whole gzip file", FileError);
  std::string damaged = whole;
  damaged[whole.size() - 6] = static_cast<char>(damaged[whole.size() - 6] ^ 1);
  CHECK_THROWS_AS((void)gunzip(damaged, "f.gz"), FileError);
}

TEST_CASE("gzip: tables are read from compressed files by the name inside") {
  const testing::TemporaryFile file("t.jsonl.gz", packed("{\"a\": 1}\n{\"a\": 2}\n"));
  CHECK(load_table(file.path()).rows() == 2);
}

}  // namespace gzip_test
