#include "data/metrics/e2e_file.h"

#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"

namespace e2e_file_test {

using namespace preamble;
using namespace preamble::metrics;
using preamble::testing::TemporaryFile;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs read(std::string_view name, std::string_view content) {
  const TemporaryFile file(name, content);
  Pairs pairs;
  for (const E2eRow& row : read_e2e_file(file.path())) pairs.emplace_back(row.source, row.text);
  return pairs;
}

void check_refused(std::string_view content, const std::string& message) {
  const TemporaryFile file("rows.csv", content);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_e2e_file(file.path())), (file.name() + message).c_str(), FileError);
}

}  // namespace

TEST_CASE("e2e_file: columns are found by name, in any order") {
  CHECK(read("rows.csv", "id,Ref,MR\n1,text,\"name[X], area[Y]\"\n") == Pairs{{"name[X], area[Y]", "text"}});
  CHECK(read("rows.tsv", "MR\toutput\nname[X], area[Y]\ta \"b\"\n") == Pairs{{"name[X], area[Y]", "a \"b\""}});
  CHECK(read("rows.csv", "Meaning representation,sys\nm,t\n") == Pairs{{"m", "t"}});
}

TEST_CASE("e2e_file: two columns without a header") { CHECK(read("rows.tsv", "m\tt\nn\tu\n") == Pairs{{"m", "t"}, {"n", "u"}}); }

TEST_CASE("e2e_file: byte-order mark, carriage returns, blank lines and damaged characters") {
  CHECK(read("rows.csv", "\xEF\xBB\xBFmr,ref\r\r\n\r\nm, \xC3\x82\xC2\xA3 5 caf\xC3\x83\xC2\xA9 \r\n") == Pairs{{"m", " £ 5 café"}});
  CHECK(read("rows.csv", "mr,ref\nm,Ł20 cafã©\n") == Pairs{{"m", "£20 café"}});
}

TEST_CASE("e2e_file: quoted fields keep delimiters and doubled quotes and go on in the next line") {
  CHECK(read("rows.csv", "mr,ref\n\"a, b\",\"say \"\"hi\"\",\nbye\"\nm,t\n") == Pairs{{"a, b", "say \"hi\",bye"}, {"m", "t"}});
}

TEST_CASE("e2e_file: single quotes round every row vanish, round some stay") {
  CHECK(read("rows.tsv", "mr\tref\n'm'\t'it's'\n'n'\t'u'\n") == Pairs{{"m", "it's"}, {"n", "u"}});
  CHECK(read("rows.tsv", "mr\tref\n'm'\t't'\nn\tu\n") == Pairs{{"'m'", "'t'"}, {"n", "u"}});
}

TEST_CASE("e2e_file: what does not fit is refused with its line") {
  check_refused("\n \n", ": no lines; wanted rows of a meaning representation and a text");
  check_refused("mr,ref\n", ": a header and no rows");
  check_refused("mr,ref\n\nm\n", ":3: 1 columns; wanted at least 2");
  check_refused("mr,ref\nm,\"t\n", ":2: a quoted field without its closing quote");
  check_refused("mr,ref,output\nm,t,u\n", ":1: header with 1 source and 2 text columns; wanted one of each (such as mr and ref)");
  check_refused("a,b,c\n", ":1: 3 columns and no known name; wanted a header or exactly two columns");
}

TEST_CASE("e2e_file: told by its extension") {
  CHECK(is_delimited("a/b.TSV"));
  CHECK(is_delimited("b.csv"));
  CHECK_FALSE(is_delimited("csv"));
  CHECK_FALSE(is_delimited("b.txt"));
}

}  // namespace e2e_file_test
