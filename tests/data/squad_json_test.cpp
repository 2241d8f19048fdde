#include "data/squad_json.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"

namespace squad_json_test {

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
    CHECK(data.paragraphs[0].context.substr(answer.begin.value(), answer.text.size()) == answer.text);
  }
  CHECK(data.questions[0].answers[0].begin == 10);
  CHECK_FALSE(data.questions[0].impossible);
  CHECK(data.questions[1].impossible);
  CHECK(data.questions[2].paragraph == 1);
  CHECK(data.questions[2].answers.empty());
}

TEST_CASE("squad_json: an answer stands where it is said to, else nearby, else where it stands once") {
  using Place = std::optional<std::size_t>;
  CHECK(answer_place("a cat, a dog", "a", 7) == Place(7));
  CHECK(answer_place("a cat, a dog", "dog", 8) == Place(9));
  CHECK(answer_place("a cat, a dog", "cat", 5) == Place(2));
  // nearest of several, unless two are as near
  CHECK(answer_place("the cat or the dog", "the", 13) == Place(11));
  CHECK(answer_place("ab ab", "ab", 10) == Place());
  CHECK(answer_place("x.x", "x", 1) == Place());
  CHECK(answer_place("noon is when the boat left", "noon", 20) == Place(0));
  CHECK(answer_place("the cat and then, far away from here, the dog", "the", 25) == Place());
  CHECK(answer_place("a cat", "CAT", 2) == Place());
  CHECK(answer_place("a cat", "cat", -1) == Place(2));
  CHECK(answer_place("a cat", "cat", std::nullopt) == Place(2));
  CHECK(answer_place("a cat", "cat", 99) == Place(2));
  CHECK(answer_place("a cat", "", 1) == Place());
}

TEST_CASE("squad_json: places may count UTF-16 units or bytes") {
  // an emoji is one character, two units and four bytes
  const std::string context = "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80 cat, a cat";
  CHECK(answer_place(context, "cat", 4) == std::optional<std::size_t>(13));
  CHECK(answer_place(context, "cat", 7) == std::optional<std::size_t>(13));
  CHECK(answer_place(context, "cat", 13) == std::optional<std::size_t>(13));
}

TEST_CASE("squad_json: blanks round an answer are left out if it does not stand with them") {
  const SquadData data =
      read(R"({"context": "a cat", "qas": [{"id": 7, "question": "  Who?\n", "answers": [{"text": " cat ", "answer_start": 2}]}]})");
  CHECK(data.questions[0].answers[0].text == "cat");
  CHECK(data.questions[0].answers[0].begin == std::optional<std::size_t>(2));
  CHECK(data.questions[0].question == "Who?");
  CHECK(data.questions[0].id == "7");
}

TEST_CASE("squad_json: empty answers and those of an impossible question are none") {
  const SquadData data = read(
      R"({"context": "a cat", "qas": [{"id": "1", "question": "?", "answers": [{"text": "", "answer_start": 0}]},
          {"id": "2", "question": "?", "is_impossible": true, "answers": [{"text": "cat", "answer_start": 2}],
           "plausible_answers": [{"text": "cat", "answer_start": 2}]}]})");
  CHECK(data.questions[0].answers.empty());
  CHECK(data.questions[1].answers.empty());
}

TEST_CASE("squad_json: an answer without a place is kept for scoring") {
  const SquadData data =
      read(R"({"context": "abc abc", "qas": [{"id": "1", "question": "?", "answers": [{"text": "xyz", "answer_start": 1}]}]})");
  CHECK(data.questions[0].answers[0].text == "xyz");
  CHECK_FALSE(data.questions[0].answers[0].begin.has_value());
}

TEST_CASE("squad_json: reads tables of questions: JSON lines, a list, a list under data") {
  const std::string rows[] = {
      R"({"id": "a", "title": "T", "context": "a cat", "question": "Who?", "answers": {"text": ["cat"], "answer_start": [2]}})",
      R"({"id": 17, "context": "a cat", "question": "What?", "answers": [{"text": "a", "answer_start": "0"}]})",
      R"({"context": "other", "question": "Why?", "answers": {"text": [], "answer_start": []}})"};
  for (const std::string& content :
       {rows[0] + "\n" + rows[1] + "\n\n" + rows[2] + "\n", "[" + rows[0] + ",\n" + rows[1] + "," + rows[2] + "]",
        R"({"version": 1, "data": [)" + rows[0] + "," + rows[1] + "," + rows[2] + "]}"}) {
    CAPTURE(content);
    const SquadData data = read_squad(TemporaryFile("q.json", content).path());
    REQUIRE(data.questions.size() == 3);
    CHECK(data.paragraphs.size() == 2);
    CHECK(data.questions[0].answers[0].begin == std::optional<std::size_t>(2));
    CHECK(data.questions[1].id == "17");
    CHECK(data.questions[1].answers[0].begin == std::optional<std::size_t>(0));
    CHECK(data.questions[2].answers.empty());
    CHECK_FALSE(data.questions[2].id.empty());
  }
  const TemporaryFile uneven("q.jsonl",
                             R"({"id": "a", "context": "a cat", "question": "?", "answers": {"text": ["cat"], "answer_start": []}})");
  CHECK_THROWS_WITH_AS((void)read_squad(uneven.path()), (uneven.name() + ":1.answers: 1 texts and 0 places; wanted as many").c_str(),
                       FileError);
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

TEST_CASE("squad_json: reads predictions as rows") {
  const std::map<std::string, std::string> wanted = {{"a", "x"}, {"7", ""}};
  CHECK(read_squad_predictions(
            TemporaryFile("p.jsonl", "{\"id\": \"a\", \"prediction\": \"x\"}\n{\"id\": 7, \"prediction\": \"\"}\n").path()) == wanted);
  CHECK(read_squad_predictions(
            TemporaryFile("p.json", R"([{"id": "a", "prediction_text": "x"}, {"id": "7", "prediction_text": ""}])").path()) == wanted);
  const TemporaryFile twice("p.json", R"([{"id": "a", "prediction": "x"}, {"id": "a", "prediction": "y"}])");
  CHECK_THROWS_WITH_AS((void)read_squad_predictions(twice.path()), (twice.name() + ": row 2: id 'a' twice; wanted different ids").c_str(),
                       FileError);
}

}  // namespace squad_json_test
