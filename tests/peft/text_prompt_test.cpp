#include "peft/text_prompt.h"

#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/word_tokenizer.h"

namespace text_prompt_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

Table films() {
  return load_table(TemporaryFile("t.tsv", "text\tlabel\ngood {one}\t1\nbad two\t0\nbad three\t0\nbad four\t0\ngood five\t1\nbad six\t0\n").path());
}

TextTask task() { return {.input = "film: {text}", .labels = "0=bad,1=good"}; }

}  // namespace

TEST_CASE("text_prompt: an instruction and examples become words of the template, braces and all") {
  TextPromptOptions options;
  options.instruction = "Good or bad?";
  options.rows = {0, 2};
  const TextTask made = with_text_prompt(task(), films(), options, false);
  const Table table = films();
  CHECK(BoundTemplate(Template(made.input), table).render(1) ==
        "Good or bad?\n\nfilm: good {one}\ngood\n\nfilm: bad three\nbad\n\nfilm: bad two");
  CHECK(made.text_prompt);
  CHECK_FALSE(made.separator.has_value());
}

TEST_CASE("text_prompt: a decoder-only model reads its input as the examples do") {
  TextPromptOptions options;
  options.rows = {1};
  options.answer_separator = " => ";
  options.shot_separator = " | ";
  const TextTask made = with_text_prompt(task(), films(), options, true);
  CHECK(made.separator == " => ");
  CHECK(made.input == "film: bad two => bad | film: {text}");
  TextTask given = task();
  given.separator = "\nA:";
  CHECK(with_text_prompt(given, films(), options, true).input == "film: bad two\nA:bad | film: {text}");
}

TEST_CASE("text_prompt: examples without classes show their targets") {
  TextPromptOptions options;
  options.rows = {1};
  const TextTask made = with_text_prompt({.input = "{text}", .target = "label {label}"}, films(), options, false);
  CHECK(made.input == "bad two\nlabel 0\n\n{text}");
}

TEST_CASE("text_prompt: rows are drawn by the seed, or balanced over the classes") {
  TextPromptOptions options;
  options.shots = 4;
  options.seed = 7;
  const auto drawn = shot_rows(task(), films(), options);
  CHECK(drawn == shot_rows(task(), films(), options));
  CHECK(std::set<std::uint32_t>(drawn.begin(), drawn.end()).size() == 4);
  std::set<std::vector<std::uint32_t>> different;
  for (options.seed = 0; options.seed < 20; ++options.seed) different.insert(shot_rows(task(), films(), options));
  CHECK(different.size() > 10);
  options.selection = ShotSelection::balanced;
  for (options.seed = 0; options.seed < 20; ++options.seed) {
    const auto rows = shot_rows(task(), films(), options);
    std::size_t good = 0;
    for (const auto row : rows) good += row == 0 || row == 4 ? 1 : 0;
    CHECK(good == 2);
  }
  options.shots = 6;  // only two are good: the others follow
  CHECK(shot_rows(task(), films(), options).size() == 6);
}

TEST_CASE("text_prompt: rejects rows that are not there, and what wants classes") {
  TextPromptOptions options;
  options.shots = 7;
  CHECK_THROWS_AS((void)shot_rows(task(), films(), options), ConfigError);
  options.shots = 1;
  options.rows = {6};
  CHECK_THROWS_AS((void)shot_rows(task(), films(), options), ConfigError);
  options.rows.clear();
  options.selection = ShotSelection::balanced;
  CHECK_THROWS_AS((void)shot_rows({.input = "{text}", .target = "{label}"}, films(), options), ConfigError);
  options.calibrated = true;
  CHECK_THROWS_AS((void)with_text_prompt({.input = "{text}", .target = "{label}"}, films(), options, false), ConfigError);
}

TEST_CASE("text_prompt: a folder remembers it") {
  const TemporaryFolder folder;
  CHECK_FALSE(is_text_prompt(folder.path()));
  task().write(folder.path());
  CHECK_FALSE(is_text_prompt(folder.path()));
  TextPromptOptions options;
  options.instruction = "i";
  options.calibrated = true;
  with_text_prompt(task(), films(), options, false).write(folder.path());
  CHECK(is_text_prompt(folder.path()));
  CHECK(TextTask::read(folder.path())->calibrated);
}

TEST_CASE("text_prompt: the empty input has the template's words alone") {
  const auto tokenizer = word_tokenizer();
  const TextTask words{.input = "the cat {text} sat {text}", .labels = "0=bad,1=good"};
  CHECK(empty_input(words, *tokenizer).source == std::vector<std::int32_t>{word::cls, word::the, word::cat, word::sat, word::sep});
}

}  // namespace text_prompt_test
