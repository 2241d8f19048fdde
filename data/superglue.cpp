#include "data/superglue.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/metrics/text.h"
#include "data/superglue_rows.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::string_view kHighlight = "@highlight\n";
constexpr std::string_view kPlaceholder = "@placeholder";

/// One row to be.
struct Cast {
  std::string text;
  std::string pair;
  std::optional<std::string> label = std::nullopt;
  std::string candidate = {};
};

using Groups = std::vector<std::vector<Cast>>;

Groups one(Cast cast, const JsonFile& row) {
  cast.label = label_of(row);
  return {{std::move(cast)}};
}

Groups boolq(const JsonFile& row) { return one({row.get<std::string>("question"), row.get<std::string>("passage")}, row); }

Groups inference(const JsonFile& row) { return one({row.get<std::string>("premise"), row.get<std::string>("hypothesis")}, row); }

Groups wic(const JsonFile& row) {
  return one({fmt::format("{} {} Does {} have the same meaning in both sentences?", row.get<std::string>("sentence1"),
                          row.get<std::string>("sentence2"), row.get<std::string>("word")),
              ""},
             row);
}

Groups wsc(const JsonFile& row) {
  const JsonFile target = row.section("target");
  return one({target.get<std::string>("span2_text") + ": " + row.get<std::string>("text"), target.get<std::string>("span1_text")}, row);
}

std::optional<std::string> flag(bool known, bool right) { return known ? std::optional<std::string>(right ? "1" : "0") : std::nullopt; }

Groups copa(const JsonFile& row) {
  const auto question = row.get<std::string>("question");
  require<FileError>(question == "cause" || question == "effect", "{}: field 'question' is \"{}\"; wanted cause or effect", row.where(),
                     question);
  const std::string text = row.get<std::string>("premise") + (question == "cause" ? " because" : " so");
  const auto label = row.find<std::int64_t>("label");
  require<FileError>(!label || *label == 0 || *label == 1, "{}: field 'label' is {}; wanted 0 or 1", row.where(), label.value_or(0));
  std::vector<Cast> choices;
  for (const std::int64_t choice : {0, 1}) {
    const auto words = row.get<std::string>(choice == 0 ? "choice1" : "choice2");
    choices.push_back({text, words, flag(label.has_value(), label.value_or(-1) == choice), words});
  }
  return {choices};
}

Groups multirc(const JsonFile& row) {
  const JsonFile passage = row.section("passage");
  const auto text = passage.get<std::string>("text");
  Groups groups;
  for (const auto& question : items_of(passage, "questions")) {
    auto& answers = groups.emplace_back();
    for (const auto& answer : items_of(question, "answers")) {
      const auto words = answer.get<std::string>("text");
      const auto label = answer.find<std::int64_t>("label");
      answers.push_back(
          {text, question.get<std::string>("question") + " " + words, flag(label.has_value(), label.value_or(0) == 1), words});
    }
  }
  return groups;
}

Groups record(const JsonFile& row) {
  const JsonFile passage = row.section("passage");
  const std::set<std::string> entities = record_entities(passage);
  const std::string text = metrics::replace_all(passage.get<std::string>("text"), kHighlight, "- ");
  Groups groups;
  for (const auto& question : items_of(row, "qas")) {
    const auto right = record_answers(question);
    auto& candidates = groups.emplace_back();
    for (const auto& entity : entities)
      candidates.push_back({text, metrics::replace_all(question.get<std::string>("query"), kPlaceholder, entity),
                            flag(right.has_value(), right && right->contains(entity)), entity});
  }
  return groups;
}

struct Caster {
  SuperGlueTask task;
  Groups (*cast)(const JsonFile&);
};

const std::array<Caster, 8>& casters() {
  static const std::array<Caster, 8> all = {{
      {{.name = "boolq", .labels = "false,true"}, boolq},
      {{.name = "cb", .labels = "entailment,contradiction,neutral"}, inference},
      {{.name = "copa", .labels = "0,1", .candidates = true, .choices = true}, copa},
      {{.name = "multirc", .labels = "0,1", .candidates = true, .metric = "f1"}, multirc},
      {{.name = "record", .labels = "0,1", .candidates = true, .metric = "answer_f1"}, record},
      {{.name = "rte", .labels = "entailment,not_entailment"}, inference},
      {{.name = "wic", .labels = "false,true", .pairs = false}, wic},
      {{.name = "wsc", .labels = "false,true"}, wsc},
  }};
  return all;
}

const Caster& caster(std::string_view name) {
  const auto found = std::ranges::find_if(casters(), [&](const Caster& c) { return c.task.name == name; });
  require<ConfigError>(found != casters().end(), "SuperGLUE task '{}': unknown; wanted one of {}", name, fmt::join(superglue_names(), " "));
  return *found;
}

/// Calls `add` with each question of a file, its line and its candidates.
void for_each_question(const SuperGlueTask& task, const std::filesystem::path& path,
                       const std::function<void(std::int64_t line, std::vector<Cast> casts)>& add) {
  for_each_object(path, [&](const JsonFile& row, std::int64_t line) {
    for (auto& casts : caster(task.name).cast(row)) add(line, std::move(casts));
  });
}

}  // namespace

const SuperGlueTask& superglue_task(std::string_view name) { return caster(name).task; }

std::vector<std::string> superglue_names() {
  std::vector<std::string> names;
  for (const auto& c : casters()) names.push_back(c.task.name);
  return names;
}

Table superglue_table(const SuperGlueTask& task, const std::filesystem::path& path) {
  Table table(path.string());
  const std::size_t text = table.add_column("text");
  const std::size_t pair = table.add_column("pair");
  const std::size_t label = table.add_column("label");
  const std::size_t group = table.add_column("group");
  const std::size_t candidate = table.add_column("candidate");
  std::int64_t groups = 0;
  for_each_question(task, path, [&](std::int64_t line, std::vector<Cast> casts) {
    for (auto& cast : casts) {
      std::vector<Cell> cells = {{text, CellKind::text, std::move(cast.text)}, {pair, CellKind::text, std::move(cast.pair)}};
      if (cast.label) cells.push_back({label, CellKind::text, *std::move(cast.label)});
      cells.push_back({group, CellKind::number, std::to_string(groups)});
      cells.push_back({candidate, CellKind::text, std::move(cast.candidate)});
      table.add_row(line, std::move(cells));
    }
    ++groups;
  });
  require<FileError>(table.rows() > 0, "{}: no rows; wanted one at least", path.string());
  return table;
}

Table superglue_choices(const SuperGlueTask& task, const std::filesystem::path& path) {
  require<ConfigError>(task.choices, "SuperGLUE task '{}': no multiple choice; wanted copa", task.name);
  Table table(path.string());
  const std::size_t text = table.add_column("text");
  const std::size_t label = table.add_column("label");
  for_each_question(task, path, [&](std::int64_t line, std::vector<Cast> casts) {
    std::vector<Cell> cells = {{text, CellKind::text, casts.front().text}};
    for (std::size_t i = 0; i < casts.size(); ++i) {
      if (casts[i].label == "1") cells.push_back({label, CellKind::number, std::to_string(i)});
      cells.push_back({table.add_column(fmt::format("choice{}", i + 1)), CellKind::text, std::move(casts[i].pair)});
    }
    table.add_row(line, std::move(cells));
  });
  require<FileError>(table.rows() > 0, "{}: no rows; wanted one at least", path.string());
  return table;
}

}  // namespace preamble
