#include "data/labels.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "data/jsonl.h"
#include "engine/core/error.h"

namespace labels_test {

using namespace preamble;

TEST_CASE("labels: maps values to words and classes") {
  const LabelMap labels = LabelMap::parse("0=negative,1=positive");
  CHECK(labels.words() == std::vector<std::string>{"negative", "positive"});
  CHECK(labels.classes() == 2);
  Table rows("t.jsonl");
  read_jsonl(rows, "{\"label\": 1}\n{\"label\": \"0\"}\n");
  CHECK(labels.class_of(rows, 0, 0) == 1);
  CHECK(labels.class_of(rows, 1, 0) == 0);
}

TEST_CASE("labels: an entry without = is value and word, and a word may hold =") {
  CHECK(LabelMap::parse("entailment,not_entailment").words() == std::vector<std::string>{"entailment", "not_entailment"});
  CHECK(LabelMap::parse("0=a=b").words() == std::vector<std::string>{"a=b"});
}

TEST_CASE("labels: values that share a word are one class") {
  const LabelMap labels = LabelMap::parse("0=bad,1=bad,3=good,4=good");
  CHECK(labels.words() == std::vector<std::string>{"bad", "good"});
  Table rows("t.jsonl");
  read_jsonl(rows, "{\"label\": 1}\n{\"label\": 4}\n");
  CHECK(labels.class_of(rows, 0, 0) == 0);
  CHECK(labels.class_of(rows, 1, 0) == 1);
}

TEST_CASE("labels: a text is a class only if it is exactly the word") {
  const LabelMap labels = LabelMap::parse("0=False,1=True");
  CHECK(labels.class_of_word("True") == 1);
  CHECK(labels.class_of_word("False") == 0);
  for (const char* other : {"true", " True", "True ", "1", ""}) CHECK(labels.class_of_word(other) == -1);
}

TEST_CASE("labels: a label outside of the map is an error with file and line") {
  const LabelMap labels = LabelMap::parse("0=negative,1=positive");
  Table rows("t.jsonl");
  read_jsonl(rows, "{\"label\": 1}\n{\"label\": 2}\n{\"x\": 2}\n");
  CHECK_THROWS_WITH_AS((void)labels.class_of(rows, 1, 0), "t.jsonl:2: label '2' in 'label'; wanted one of: 0, 1", FileError);
  CHECK_THROWS_WITH_AS((void)labels.class_of(rows, 2, 0), "t.jsonl:3: no field 'label'; wanted a value", FileError);
}

TEST_CASE("labels: rejects empty and repeated entries") {
  CHECK_THROWS_WITH_AS((void)LabelMap::parse(""), "labels: entry '=' lacks a side; wanted value=word", ConfigError);
  CHECK_THROWS_WITH_AS((void)LabelMap::parse("0=,1=b"), "labels: entry '0=' lacks a side; wanted value=word", ConfigError);
  CHECK_THROWS_WITH_AS((void)LabelMap::parse("0=a,0=b"), "labels: value '0' twice; wanted different values", ConfigError);
  CHECK_THROWS_WITH_AS(LabelMap({}), "labels: none; wanted value=word for each class", ConfigError);
}

TEST_CASE("labels: JSON lists and objects hold words with commas and equals signs") {
  using Names = std::vector<std::string>;
  CHECK(LabelMap::parse(R"(["very good", "bad, really"])").words() == Names{"very good", "bad, really"});
  const LabelMap labels = LabelMap::parse(R"( {"1": "good, yes", "0": "bad=no"})");
  CHECK(labels.words() == Names{"good, yes", "bad=no"});
  CHECK(labels.find("0") == 1);
  CHECK(labels.find("good, yes") == -1);
  CHECK(LabelMap::parse("[x],[y]").words() == Names{"[x]", "[y]"});
  CHECK_THROWS_AS((void)LabelMap::parse(R"(["a",)"), ConfigError);
  CHECK_THROWS_AS((void)LabelMap::parse(R"([["a"]])"), ConfigError);
  CHECK_THROWS_AS((void)LabelMap::parse(R"(["a", "a"])"), ConfigError);
}

TEST_CASE("labels: values are spelled so that they are read again") {
  using Names = std::vector<std::string>;
  CHECK(LabelMap::spelled({"neg", "pos"}) == "neg,pos");
  for (const Names& values : {Names{"x=1", "x=2"}, Names{"a, b", "c"}, Names{"[a]", "b"}, Names{"{\"a\"", "\"q\""}, Names{"a", "b"}})
    CHECK(LabelMap::parse(LabelMap::spelled(values)).words() == values);
}

TEST_CASE("labels: blanks round a value and the fraction of a whole number do not matter") {
  CHECK(LabelMap::canonical(" positive ") == "positive");
  CHECK(LabelMap::canonical("1.0") == "1");
  CHECK(LabelMap::canonical("-1.00") == "-1");
  for (const char* other : {"1.5", "1.0.0", "v1.0", ".0", "1e0", ""}) CHECK(LabelMap::canonical(other) == other);
  const LabelMap labels = LabelMap::parse("0=negative,1=positive");
  CHECK(labels.find("1.0") == 1);
  CHECK(labels.find(" 0") == 0);
}

}  // namespace labels_test
