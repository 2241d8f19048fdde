#include "data/squad_json.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"

using namespace preamble;
using testing::TemporaryFile;

namespace {

SquadData read(std::string_view paragraphs) {
  return read_squad(
      TemporaryFile("q.json", R"({"version": "x", "data": [{"title": "T", "paragraphs": [)" + std::string(paragraphs) + "]}]}").path());
}

void check_rejected(std::string_view paragraphs, std::string_view message) {
  CAPTURE(paragraphs);
  try {
    (void)read(paragraphs);
    FAIL_CHECK("accepted");
  } catch (const FileError& error) {
    CHECK_MESSAGE(std::string_view(error.what()).find(message) != std::string_view::npos, error.what());
  }
}

}  // namespace

TEST_CASE("squad_json: reads questions, and answers with byte offsets") {
  const SquadData data = read(
      "{\"context\": \"caf\xC3\xA9 \xE2\x82\xAC 5 today\", \"qas\": ["
      "{\"id\": \"1\", \"question\": \"How much?\", \"answers\": [{\"text\": \"5\", \"answer_start\": 7},"
      "{\"text\": \"\xE2\x82\xAC 5\", \"answer_start\": 5}]},"
      "{\"id\": \"2\", \"question\": \"Why?\", \"answers\": [], \"is_impossible\": true}]},"
      "{\"context\": \"other\", \"qas\": [{\"id\": \"3\", \"question\": \"?\"}]}");
  REQUIRE(data.paragraphs.size() == 2);
  REQUIRE(data.questions.size() == 3);
  CHECK(data.paragraphs[0].title == "T");
  CHECK(data.questions[0].question == "How much?");
  REQUIRE(data.questions[0].answers.size() == 2);
  for (const SquadAnswer& answer : data.questions[0].answers) {
    CHECK(data.paragraphs[0].context.substr(answer.begin, answer.text.size()) == answer.text);
  }
  CHECK(data.questions[0].answers[0].begin == 10);
  CHECK_FALSE(data.questions[0].impossible);
  CHECK(data.questions[1].impossible);
  CHECK(data.questions[2].paragraph == 1);
  CHECK(data.questions[2].answers.empty());
}

TEST_CASE("squad_json: rejects answers that do not stand where they are said to") {
  check_rejected(R"({"context": "abc", "qas": [{"id": "1", "question": "?", "answers": [{"text": "c", "answer_start": 1}]}]})",
                 "document.data[0].paragraphs[0].qas[0].answers[0]: 'c' does not stand at character 1 of the context");
  check_rejected(R"({"context": "abc", "qas": [{"id": "1", "question": "?", "answers": [{"text": "c", "answer_start": 99}]}]})",
                 "'c' does not stand at character 99");
  check_rejected(R"({"context": "abc", "qas": [{"id": "1", "question": "?", "answers": [{"text": "c", "answer_start": -1}]}]})",
                 "answer_start: -1; wanted a whole number from 0");
}

TEST_CASE("squad_json: rejects missing, mistyped and repeated values with their place") {
  check_rejected(R"({"qas": []})", "document.data[0].paragraphs[0]: no 'context'; wanted one");
  check_rejected(R"({"context": 5, "qas": []})", "paragraphs[0].context: number; wanted a string");
  check_rejected(R"({"context": "abc", "qas": {}})", "paragraphs[0].qas: object; wanted a list");
  check_rejected(R"({"context": "abc", "qas": [7]})", "qas[0]: number; wanted an object");
  check_rejected(R"({"context": "abc", "qas": [{"id": "1", "question": "?"}, {"id": "1", "question": "?"}]})",
                 "qas[1]: id '1' twice; wanted different ids");
  check_rejected(R"({"context": "abc", "qas": [{"id": "1", "question": "?", "is_impossible": 1}]})",
                 "is_impossible: number; wanted true or false");
  check_rejected(R"({"context": "abc", "qas": []})", "no questions; wanted at least one");
}

TEST_CASE("squad_json: rejects what is no JSON object") {
  for (const std::string_view bad : {"", "[]", "{", "{\"data\": 1}", "{}", "\xFF"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS((void)read_squad(TemporaryFile("q.json", bad).path()), FileError);
  }
  const std::string deep = "{\"data\": " + std::string(200'000, '[') + std::string(200'000, ']') + "}";
  CHECK_THROWS_AS((void)read_squad(TemporaryFile("q.json", deep).path()), FileError);
}

TEST_CASE("squad_json: reads predictions by id") {
  const auto predictions = read_squad_predictions(TemporaryFile("p.json", R"({"b": "two", "a": ""})").path());
  CHECK(predictions == std::map<std::string, std::string>{{"a", ""}, {"b", "two"}});
  const TemporaryFile bad("p.json", R"({"b": 2})");
  CHECK_THROWS_WITH_AS((void)read_squad_predictions(bad.path()), (bad.name() + ": prediction 'b' is number; wanted a string").c_str(),
                       FileError);
}
