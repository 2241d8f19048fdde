#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "data/metrics/text.h"
#include "data/squad_json.h"
#include "data/superglue_rows.h"
#include "data/tasks/readers.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

using Strings = std::vector<std::string>;

/// RE2's \s.
bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

bool is_punctuation(char c) noexcept {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/// The template puts single spaces round its fields, where T5 collapses runs of them.
std::string without_edges(std::string_view padded, bool right) {
  if (padded.starts_with(' ')) padded.remove_prefix(1);
  if (right && padded.ends_with(' ')) padded.remove_suffix(1);
  return std::string(padded);
}

/// A question with its text and all its answers.
void add_question(RowBuilder& row, std::string_view question, std::string_view context, Strings answers, std::int64_t line) {
  for (auto& answer : answers) answer = pad_punctuation(answer);
  row.text("question", without_edges(pad_punctuation(question), true)).text("context", without_edges(pad_punctuation(context), false));
  if (!answers.empty()) row.text("target", answers.front()).list("answers", answers);
  row.end_row(line);
}

void warn_of_unanswered(const Table& table, std::int64_t count) {
  if (count > 0) warn(fmt::format("{}: {} questions without an answer; they are left out", table.source(), count));
}

/// Answers of an MRQA question: the gold texts, or where they were found.
Strings mrqa_answers(const JsonFile& question) {
  if (question.has("answers")) return question.get<Strings>("answers");
  Strings answers;
  if (!question.has("detected_answers")) return answers;
  for (const auto& answer : items_of(question, "detected_answers")) answers.push_back(answer.get<std::string>("text"));
  return answers;
}

}  // namespace

std::string pad_punctuation(std::string_view text) {
  std::string padded;
  const auto add = [&](char c) {
    if (c != ' ' || !padded.ends_with(' ')) padded += c;
  };
  for (const char c : text) {
    if (is_space(c)) {
      add(' ');
    } else if (is_punctuation(c)) {
      add(' '), add(c), add(' ');
    } else {
      add(c);
    }
  }
  return padded;
}

void read_squad_text(Table& table, const std::filesystem::path& path, TaskUse use) {
  const SquadData data = read_squad(path);
  RowBuilder row(table);
  const bool labelled = std::ranges::any_of(data.questions, [](const SquadQuestion& question) { return !question.answers.empty(); });
  std::int64_t unanswered = 0;
  for (const auto& question : data.questions) {
    if (question.answers.empty() && (labelled || use == TaskUse::training)) {
      ++unanswered;
      continue;
    }
    Strings answers;
    for (const auto& answer : question.answers) answers.push_back(answer.text);
    add_question(row, question.question, data.paragraphs.at(question.paragraph).context, std::move(answers), 0);
  }
  warn_of_unanswered(table, unanswered);
}

void read_mrqa_text(Table& table, const std::filesystem::path& path) {
  RowBuilder row(table);
  for_each_object(path, [&](const JsonFile& object, std::int64_t line) {
    if (object.has("header")) return;
    const auto context = object.get<std::string>("context");
    for (const auto& question : items_of(object, "qas"))
      add_question(row, question.get<std::string>("question"), context, mrqa_answers(question), line);
  });
}

}  // namespace preamble
