#include <cctype>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/metrics/text.h"
#include "data/superglue_rows.h"
#include "data/tasks/readers.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using Strings = std::vector<std::string>;

/// MultiRC's marks of HTML.
std::string without_html(std::string text) {
  for (const auto& [mark, by] : {std::pair{"<br>", " "}, {"<b>", ""}, {"</b>", ""}}) text = metrics::replace_all(text, mark, by);
  return text;
}

/// ReCoRD's highlights as sentences of the passage.
std::string without_highlights(std::string text) {
  constexpr std::string_view kMark = "\n@highlight\n";
  std::string result;
  std::size_t begin = 0;
  for (std::size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, begin)) {
    result.append(text, begin, at - begin);
    // what stood in front of the mark before any was replaced
    const bool closed = at > begin && std::string_view(".?!\"'").find(text[at - 1]) != std::string_view::npos;
    result += closed ? " " : ". ";
    begin = at + kMark.size();
  }
  return result.append(text, begin);
}

class Reader {
 public:
  Reader(Table& table, TaskUse use) : row_(table), use_(use) {}

  /// The fields of these names, as they are.
  void plain(const JsonFile& object, std::int64_t line, const Strings& fields) {
    for (const auto& field : fields) row_.text(field, object.get<std::string>(field));
    end(object, line);
  }

  /// The diagnostic set calls premise and hypothesis sentence1 and sentence2.
  void inference(const JsonFile& object, std::int64_t line) {
    const bool sentences = object.has("sentence1");
    row_.text("premise", object.get<std::string>(sentences ? "sentence1" : "premise"));
    row_.text("hypothesis", object.get<std::string>(sentences ? "sentence2" : "hypothesis"));
    end(object, line);
  }

  void multirc(const JsonFile& object, std::int64_t line) {
    const JsonFile passage = object.section("passage");
    const std::string paragraph = without_html(passage.get<std::string>("text"));
    for (const auto& question : items_of(passage, "questions")) {
      const std::string words = without_html(question.get<std::string>("question"));
      const std::int64_t group = question.get<std::int64_t>("idx", group_++);
      for (const auto& answer : items_of(question, "answers")) {
        row_.text("question", words).text("answer", without_html(answer.get<std::string>("text"))).text("paragraph", paragraph);
        row_.number("group", group);
        end(answer, line);
      }
    }
  }

  void record(const JsonFile& object, std::int64_t line) {
    const JsonFile passage = object.section("passage");
    const auto entities = fmt::format("{}", fmt::join(record_entities(passage), ", "));
    const std::string text = without_highlights(passage.get<std::string>("text"));
    for (const auto& question : items_of(object, "qas")) {
      const auto known = record_answers(question);
      const Strings answers = known ? Strings(known->begin(), known->end()) : Strings();
      const Strings targets = use_ == TaskUse::training || answers.empty() ? answers : Strings{answers.front()};
      const std::int64_t group = group_++;
      const auto add = [&] { row_.text("query", question.get<std::string>("query")).text("entities", entities).text("passage", text); };
      for (const auto& target : targets) {
        add();
        row_.text("target", target).list("answers", answers).number("group", group).end_row(line);
      }
      if (targets.empty() && use_ == TaskUse::evaluation) add(), row_.number("group", group).end_row(line);
    }
  }

  void wsc(const JsonFile& object, std::int64_t line) {
    const auto label = label_of(object);
    if (use_ == TaskUse::training && label != "true") return;
    const JsonFile target = object.section("target");
    const auto text = object.get<std::string>("text");
    const auto place_of = [&](const char* field) {
      const auto place = target.get<std::int64_t>(field);
      require<FileError>(place >= 0, "{}: {} is {}; wanted the number of a word", object.where(), field, place);
      return static_cast<std::size_t>(place);
    };
    const std::size_t noun = place_of("span1_index"), pronoun = place_of("span2_index");
    row_.text("text", mark_pronoun(text, pronoun, fixed_span(text, pronoun, target.get<std::string>("span2_text")), object.where()));
    row_.text("target", fixed_span(text, noun, target.get<std::string>("span1_text")));
    end(object, line);
  }

 private:
  void end(const JsonFile& object, std::int64_t line) {
    if (auto label = label_of(object)) row_.text("label", *std::move(label));
    row_.end_row(line);
  }

  RowBuilder row_;
  TaskUse use_;
  std::int64_t group_ = 0;
};

/// Bytes of the punctuation at the end of a word.
std::size_t punctuation_behind(std::string_view word) {
  const std::size_t last = word.find_last_not_of(".,;:!?\"')");
  return last == std::string_view::npos ? 0 : word.size() - last - 1;
}

bool is_pronoun(std::string_view word, std::string_view pronoun) {
  return metrics::lowered(word.substr(0, word.size() - punctuation_behind(word))) == metrics::lowered(pronoun);
}

}  // namespace

std::string fixed_span(std::string_view text, std::size_t place, std::string_view span) {
  if (span.empty() || text.find(span) != std::string_view::npos) return std::string(span);
  const auto words = metrics::split_whitespace(text);
  if (place >= words.size()) return std::string(span);
  std::string fixed = metrics::replace_all(std::string(span.substr(0, span.find_last_not_of('.') + 1)), "\n", " ");
  if (fixed.empty()) return std::string(span);
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const bool lower = is_lower(words[place].front());
  if (is_lower(fixed.front()) != lower && std::isalpha(static_cast<unsigned char>(fixed.front())) != 0) fixed.front() = static_cast<char>(fixed.front() ^ 0x20);
  return text.find(fixed) != std::string_view::npos ? fixed : std::string(span);
}

std::string mark_pronoun(std::string_view text, std::size_t place, std::string_view pronoun, std::string_view where) {
  Strings words = metrics::split_at(text, ' ');
  std::string behind;
  if (place >= words.size() || words[place] != pronoun) {
    std::size_t nearest = words.size();
    const auto distance = [&](std::size_t i) { return i > place ? i - place : place - i; };
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (is_pronoun(words[i], pronoun) && (nearest == words.size() || distance(i) < distance(nearest))) nearest = i;
    }
    require<FileError>(nearest < words.size(), "{}: no word '{}' in the text; wanted the pronoun", where, pronoun);
    place = nearest;
    if (const std::size_t length = punctuation_behind(words[place]); length > 0)
      behind = " " + words[place].substr(words[place].size() - length);
    // the rule is for rows that were written by hand, with a space behind the text
    while (words.size() > place + 1 && words.back().empty()) words.pop_back();
  }
  require<FileError>(place > 0 && place + 1 < words.size(), "{}: the pronoun '{}' is word {} of {}; wanted one inside the text", where,
                     pronoun, place, words.size());
  words[place] = fmt::format("*{}*{}", pronoun, behind);
  return fmt::format("{}", fmt::join(words, " "));
}

void read_superglue(Table& table, std::string_view task, const std::filesystem::path& path, TaskUse use) {
  Reader reader(table, use);
  for_each_object(path, [&](const JsonFile& object, std::int64_t line) {
    if (task == "boolq") reader.plain(object, line, {"passage", "question"});
    if (task == "copa") reader.plain(object, line, {"choice1", "choice2", "premise", "question"});
    if (task == "wic") reader.plain(object, line, {"sentence1", "sentence2", "word"});
    if (task == "multirc") reader.multirc(object, line);
    if (task == "record") reader.record(object, line);
    if (task == "wsc") reader.wsc(object, line);
    if (task == "cb" || task == "rte" || task == "axb" || task == "axg") reader.inference(object, line);
  });
}

}  // namespace preamble
