#include "data/data_to_text.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "tests/support/temporary_folder.h"

namespace data_to_text_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::vector<std::string> column(const Table& table, std::string_view name) {
  std::vector<std::string> values;
  for (std::int64_t row = 0; row < table.rows(); ++row) values.push_back(table.text(row, table.column(name)));
  return values;
}

constexpr const char* kXml = R"(<benchmark><entries>
<entry category="Airport" eid="Id1" size="2">
  <originaltripleset><otriple>x | y | z</otriple></originaltripleset>
  <modifiedtripleset><mtriple>North_Field | runwayLength | 900.0</mtriple><mtriple>North_Field | city | "Mill, Upper"</mtriple></modifiedtripleset>
  <lex comment="good" lid="Id1">North Field &amp; its runway.</lex>
  <lex comment="toFix" lid="Id2">North field.</lex>
</entry>
<entry category="Athlete" eid="Id2" size="1">
  <modifiedtripleset><mtriple>Ann_Moor | club | Hill_Runners</mtriple></modifiedtripleset>
</entry>
</entries></benchmark>)";

}  // namespace

TEST_CASE("data to text: E2E records as Prefix-Tuning spells them") {
  CHECK(linearised_e2e("name[The Mill], eatType[pub], priceRange[less than 10, or so], familyFriendly[no]", "f:1") ==
        "name : The Mill | Type : pub | price : less than 10, or so | family friendly : no");
  CHECK_THROWS_WITH_AS((void)linearised_e2e("name The Mill", "f:1"),
                       "f:1: 'name The Mill' in a meaning representation; wanted 'name[value], name[value]'", FileError);
  CHECK_THROWS_WITH_AS((void)linearised_e2e("", "f:1"), "f:1: an empty meaning representation; wanted 'name[value], name[value]'",
                       FileError);
}

TEST_CASE("data to text: E2E's CSV with references and without") {
  const TemporaryFolder folder;
  const auto full = folder.write("train.csv", "mr,ref\r\n\"name[Oak], near[Elm, the old]\",\"Oak is near \"\"Elm\"\".\"\r\n");
  const Table table = load_table(full, {.format = "e2e"});
  CHECK(column(table, "source") == std::vector<std::string>{"name : Oak | near : Elm, the old"});
  CHECK(column(table, "target") == std::vector<std::string>{"Oak is near \"Elm\"."});
  CHECK(column(table, "mr") == std::vector<std::string>{"name[Oak], near[Elm, the old]"});
  const Table bare = load_table(folder.write("test.csv", "MR\nname[Oak]\n"), {.format = "e2e"});
  CHECK(column(bare, "source") == std::vector<std::string>{"name : Oak"});
  CHECK_THROWS_AS((void)bare.column("target"), ConfigError);
  const auto other = folder.write("other.csv", "a,b\n1,2\n");
  CHECK_THROWS_WITH_AS((void)load_table(other, {.format = "e2e"}), (other.string() + ": no column 'mr'; wanted E2E's CSV, or lines of record||text").c_str(),
                       FileError);
}

TEST_CASE("data to text: WebNLG's XML keeps good texts and tells seen from unseen categories") {
  const TemporaryFolder folder;
  folder.write("b.xml", kXml);
  folder.write("a.xml", "<benchmark><entries/></benchmark>");
  folder.write("c.txt", "no set");
  const Table table = load_table(folder.path());
  CHECK(column(table, "source") == std::vector<std::string>{"| North_Field : runwayLength : 900.0 | North_Field : city : \"Mill, Upper\"",
                                                            "| Ann_Moor : club : Hill_Runners"});
  CHECK(table.text(0, table.column("target")) == "North Field & its runway.");
  CHECK(table.find(1, table.column("target")) == nullptr);
  CHECK(column(table, "seen") == std::vector<std::string>{"yes", "no"});
  CHECK(column(table, "category") == std::vector<std::string>{"Airport", "Athlete"});
  CHECK(column(table, "size") == std::vector<std::string>{"2", "1"});
}

TEST_CASE("data to text: WebNLG's JSON says the same") {
  const TemporaryFolder folder;
  const auto file = folder.write("w.json", R"({"entries": [{"1": {"category": "Food", "size": "1",
    "modifiedtripleset": [{"subject": "Leek_pie", "property": "country", "object": "Wales"}],
    "lexicalisations": [{"comment": "good", "lex": "Leek pie is Welsh.", "xml_id": "Id1"}, {"comment": "bad", "lex": "x", "xml_id": "Id2"}]}}]})");
  const Table table = load_table(file, {.format = "webnlg"});
  CHECK(column(table, "source") == std::vector<std::string>{"| Leek_pie : country : Wales"});
  CHECK(column(table, "target") == std::vector<std::string>{"Leek pie is Welsh."});
  CHECK(column(table, "entry") == std::vector<std::string>{"1"});
}

TEST_CASE("data to text: DART joins triples with relations in lower case") {
  const TemporaryFolder folder;
  const auto file = folder.write("d.json", R"([{"tripleset": [["Hill School", "FOUNDED_IN", "1901"], ["Hill School", "TOWN", "Upper Mill"]],
    "subtree_was_extended": false, "annotations": [{"source": "made", "text": "Hill School is of 1901."}, {"source": "up", "text": "It is old."}]}])");
  const Table table = load_table(file, {.format = "dart"});
  CHECK(column(table, "source") == std::vector<std::string>(2, "Hill School : founded_in : 1901 | Hill School : town : Upper Mill"));
  CHECK(column(table, "target") == std::vector<std::string>{"Hill School is of 1901.", "It is old."});
  CHECK(column(table, "corpus") == std::vector<std::string>{"made", "up"});
}

TEST_CASE("data to text: malformed sets are one error that names the file and the entry") {
  const TemporaryFolder folder;
  const auto fails = [&](const char* name, const char* format, const std::string& content, const std::string& message) {
    const auto file = folder.write(name, content);
    CHECK_THROWS_WITH_AS((void)load_table(file, {.format = format}), (file.string() + message).c_str(), FileError);
  };
  fails("w.xml", "webnlg",
        "<benchmark><entries>\n<entry><modifiedtripleset><mtriple>a | b</mtriple></modifiedtripleset></entry></entries></benchmark>",
        ":2: triple 'a | b'; wanted 'subject | property | object'");
  fails("w.xml", "webnlg", "<benchmark><entries><entry/></entries></benchmark>",
        ":1: an entry without triples; wanted modifiedtripleset with mtriple, or originaltripleset");
  fails("w.xml", "webnlg", "<other/>", ": an XML document 'other'; wanted WebNLG's 'benchmark'");
  fails("w.json", "webnlg", R"({"entries": [{"1": {"category": 3}}]})", ": entry 1: field 'category' is missing or no string");
  fails("d.json", "dart", R"([{"tripleset": [["a", "b"]], "annotations": []}])", ": set 1: a triple that is no list of three texts");
  fails("d.json", "dart", R"([{"tripleset": [], "annotations": []}])", ": set 1: no triples; wanted one at least");
}

TEST_CASE("data to text: E2E lines of a record, two bars and a text") {
  const TemporaryFolder folder;
  const Table table =
      load_table(folder.write("train.txt", " name : The Fox | Type : food||The Fox has food .\n\nname : Mill||\n"), {.format = "e2e"});
  CHECK(column(table, "source") == std::vector<std::string>{"name : The Fox | Type : food", "name : Mill"});
  CHECK(table.text(0, table.column("target")) == "The Fox has food .");
  CHECK(table.find(1, table.column("target")) == nullptr);
  const auto bad = folder.write("bad.txt", "a||b\nc\n");
  CHECK_THROWS_WITH_AS((void)load_table(bad, {.format = "e2e"}),
                       (bad.string() + ":2: no '||'; wanted record||text as in the lines above").c_str(), FileError);
}

TEST_CASE("data to text: WebNLG's texts of the language that is asked for, its otriples and CDATA sections") {
  const TemporaryFolder folder;
  const auto path = folder.write("train.xml", R"(<benchmark><entries><entry category="Food" eid="Id1">
    <originaltripleset><otriple>x | y | z</otriple></originaltripleset>
    <modifiedtripleset><otriple>Blue_Boat | near | Oslo</otriple></modifiedtripleset>
    <lex comment="good" lang="en"><![CDATA[Near Oslo & its fjord.]]></lex><lex comment="good" lang="ru">В Осло.</lex><lex comment="good">Oslo.</lex>
  </entry></entries></benchmark>)");
  const WarningCapture capture;
  CHECK(column(load_table(path), "target") == std::vector<std::string>{"Near Oslo & its fjord.", "Oslo."});
  CHECK(column(load_table(path), "source").front() == "| Blue_Boat : near : Oslo");
  CHECK(capture.messages() == std::vector<std::string>{path.string() + ": 1 texts in 'ru' left out; wanted 'en'"});
  CHECK(column(load_table(path, {.language = "ru"}), "target") == std::vector<std::string>{"В Осло."});
}

TEST_CASE("data to text: WebNLG laid out anew, with the original triples alone and languages of countries") {
  const TemporaryFolder folder;
  const auto path = folder.write("train.xml", R"(<?xml version="1.0"?>
<benchmark><entries><entry category="Food" eid="Id1">
    <originaltripleset>
      <otriple>
        Blue_Boat | near | Oslo
      </otriple>
    </originaltripleset>
    <originaltripleset><otriple>Boat | by | Oslo</otriple></originaltripleset>
    <lex comment="good" lang="en-GB">
      Near Oslo.
    </lex>
    <lex comment="good" lang="EN"> Oslo. </lex>
  </entry></entries></benchmark>)");
  const Table table = load_table(path);
  CHECK(column(table, "source") == std::vector<std::string>{"| Blue_Boat : near : Oslo", "| Blue_Boat : near : Oslo"});
  CHECK(column(table, "target") == std::vector<std::string>{"Near Oslo.", " Oslo. "});
}

}  // namespace data_to_text_test
