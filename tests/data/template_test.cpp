#include "data/template.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "data/jsonl.h"
#include "engine/core/error.h"

namespace template_test {

using namespace preamble;

namespace {

Table table() {
  Table rows("t.jsonl");
  read_jsonl(rows,
             "{\"hypothesis\": \"rain\", \"premise\": \"wet {street}\", \"n\": 3, \"names\": [\"a\", \"\", 2, true]}\n"
             "{\"hypothesis\": \"sun\", \"names\": [[1]]}\n{\"premise\": null, \"names\": []}\n");
  return rows;
}

}  // namespace

TEST_CASE("template: puts fields between literal words") {
  const Table rows = table();
  CHECK(BoundTemplate(Template("hypothesis: {hypothesis} premise: {premise}"), rows).render(0) == "hypothesis: rain premise: wet {street}");
  CHECK(BoundTemplate(Template("{n}{n}"), rows).render(0) == "33");
  CHECK(BoundTemplate(Template("no field"), rows).render(2) == "no field");
  CHECK(BoundTemplate(Template(""), rows).render(0).empty());
}

TEST_CASE("template: doubled braces are braces") {
  const Table rows = table();
  CHECK(BoundTemplate(Template("{{{n}}} }}{{n}}"), rows).render(0) == "{3} }{n}");
}

TEST_CASE("template: joins lists where it asks for it") {
  const Table rows = table();
  CHECK(BoundTemplate(Template("entities: {names|join(\", \")} n: {n}"), rows).render(0) == "entities: a, , 2, true n: 3");
  CHECK(BoundTemplate(Template("{names|join(\"}\\n\\\"\\t\\\\\")}"), rows).render(0) == "a}\n\"\t\\}\n\"\t\\2}\n\"\t\\true");
  CHECK(BoundTemplate(Template("[{names|join(\"\")}]"), rows).render(2) == "[]");
}

TEST_CASE("template: knows its pieces") {
  const Template pattern("a {x} {y|join(\"-\")}");
  REQUIRE(pattern.pieces().size() == 4);
  CHECK_FALSE(pattern.pieces()[0].is_field);
  CHECK(pattern.pieces()[1].is_field);
  CHECK(pattern.pieces()[1].text == "x");
  CHECK_FALSE(pattern.pieces()[1].separator.has_value());
  CHECK(pattern.pieces()[2].text == " ");
  CHECK(pattern.pieces()[3].separator == "-");
}

TEST_CASE("template: an unknown column is an error that lists the columns") {
  const Table rows = table();
  CHECK_THROWS_WITH_AS(BoundTemplate(Template("{sentence}"), rows),
                       "t.jsonl: no column 'sentence'; the columns are: hypothesis, premise, n, names", ConfigError);
}

TEST_CASE("template: a row without the field is an error with file and line") {
  const Table rows = table();
  const BoundTemplate premise(Template("{premise}"), rows);
  CHECK_THROWS_WITH_AS((void)premise.render(1), "t.jsonl:2: no field 'premise'; wanted a value", FileError);
  CHECK_THROWS_WITH_AS((void)premise.render(2), "t.jsonl:3: field 'premise' is null; wanted a value", FileError);
}

TEST_CASE("template: lists are joined only if asked, and only lists of scalars are") {
  const Table rows = table();
  CHECK_THROWS_AS((void)BoundTemplate(Template("{names}"), rows).render(0), FileError);
  CHECK_THROWS_WITH_AS((void)BoundTemplate(Template("{n|join(\",\")}"), rows).render(0),
                       "t.jsonl:1: field 'n' is no list; wanted one to join", FileError);
  CHECK_THROWS_WITH_AS((void)BoundTemplate(Template("{names|join(\",\")}"), rows).render(1),
                       "t.jsonl:2: list 'names' holds array; wanted texts, numbers or booleans to join", FileError);
}

TEST_CASE("template: rejects braces without partner, empty names and unknown filters") {
  CHECK_THROWS_WITH_AS(Template("a {b"), "template 'a {b', position 3: '{' without '}'; wanted '{{' for a brace", ConfigError);
  CHECK_THROWS_WITH_AS(Template("a } b"), "template 'a } b', position 2: '}' without '{'; wanted '}}' for a brace", ConfigError);
  CHECK_THROWS_WITH_AS(Template("{}"), "template '{}', position 1: no name between braces; wanted the name of a column", ConfigError);
  CHECK_THROWS_WITH_AS(Template("{a|upper}"), "template '{a|upper}', position 3: unknown filter; wanted |join(\"separator\")", ConfigError);
  for (const char* bad : {"{", "{a{b}", "{a|join(\"x}", "{a|join(\"x\"}", "{a|join(\"x\")", "{a|join(\"\\", "}"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(Template{bad}, ConfigError);
  }
}

}  // namespace template_test
