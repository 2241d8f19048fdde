#include "tools/score_command.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/table.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

/// References of one prediction, and the value of the column that `by` names.
struct Group {
  std::vector<std::string> references;
  std::string part;
};

bool is_jsonl(const std::filesystem::path& path) { return path.extension() == ".jsonl"; }

bool is_data_set(const ScoreArguments& args) {
  const auto& references = args.options.references;
  return !references.empty() && (!args.format.empty() || is_jsonl(references.front()) || references.front().extension() == ".json" ||
                                 references.front().extension() == ".xml" || std::filesystem::is_directory(references.front()));
}

std::vector<std::string> predictions_of(const ScoreArguments& args) {
  if (!is_jsonl(args.options.hypotheses)) return metrics::read_lines(args.options.hypotheses);
  const Table table = load_table(args.options.hypotheses);
  const std::size_t column = table.column(args.prediction_field);
  std::vector<std::string> predictions;
  for (std::int64_t row = 0; row < table.rows(); ++row) predictions.push_back(table.text(row, column));
  return predictions;
}

/// Groups of a data set: one of each row, or one of rows with equal inputs.
std::vector<Group> groups_of(const ScoreArguments& args, std::size_t predictions) {
  require<ConfigError>(args.options.references.size() == 1, "score: {} data sets of references were given; wanted one",
                       args.options.references.size());
  const Table table = load_table(args.options.references.front(), {args.format, {}});
  std::vector<std::size_t> fields;
  for (const auto& name : args.reference_fields) fields.push_back(table.column(name));
  const bool row_by_row = static_cast<std::size_t>(table.rows()) == predictions;
  const std::size_t key = row_by_row ? 0 : table.column(args.group_by);
  std::vector<Group> groups;
  std::map<std::string, std::size_t> seen;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const std::string name = row_by_row ? std::to_string(row) : table.text(row, key);
    const auto [found, added] = seen.try_emplace(name, groups.size());
    if (added) groups.push_back({{}, args.by ? table.text(row, table.column(*args.by)) : ""});
    for (const auto field : fields) {
      const Cell* cell = table.find(row, field);
      if (cell != nullptr && cell->kind != CellKind::null) groups[found->second].references.push_back(table.text(row, field));
    }
  }
  require<FileError>(groups.size() == predictions, "{}: {} predictions, but references for {} in {}; wanted as many",
                     args.options.hypotheses.string(), predictions, groups.size(), args.options.references.front().string());
  return groups;
}

struct Scored {
  metrics::Corpus corpus;
  std::vector<std::string> parts;
};

Scored scored_of(const ScoreArguments& args) {
  Scored result;
  auto predictions = predictions_of(args);
  if (is_data_set(args)) {
    auto groups = groups_of(args, predictions.size());
    for (std::size_t i = 0; i < groups.size(); ++i) {
      result.corpus.push_back({std::move(predictions[i]), std::move(groups[i].references)});
      result.parts.push_back(std::move(groups[i].part));
    }
    return result;
  }
  result.corpus = metrics::read_corpus(std::move(predictions), args.options.hypotheses, args.options.references, args.options.layout);
  return result;
}

metrics::ScoreReport report_of(const ScoreArguments& args) {
  const std::vector<std::string> names = args.options.metrics.empty() ? std::vector<std::string>{"e2e"} : args.options.metrics;
  require<ConfigError>(!args.by || is_data_set(args), "--by {}: plain references have no columns; wanted a data set", args.by.value_or(""));
  const bool files = std::ranges::any_of(names, metrics::scores_files);
  const bool plain = !is_data_set(args) && !is_jsonl(args.options.hypotheses);
  require<ConfigError>(!files || plain || std::ranges::all_of(names, metrics::scores_files),
                       "--metrics: metrics of texts and of labels, tags or answers were given together for JSON; wanted one kind");
  if (files || plain) {
    metrics::ScoreOptions options = args.options;
    options.metrics = names;
    return metrics::score(options);
  }
  const Scored scored = scored_of(args);
  metrics::ScoreReport report = metrics::score(names, scored.corpus, args.options.meteor_jar);
  if (!args.by) return report;
  std::map<std::string, metrics::Corpus> parts;
  for (std::size_t i = 0; i < scored.corpus.size(); ++i) parts[scored.parts.at(i)].push_back(scored.corpus[i]);
  for (const auto& [part, corpus] : parts) {
    for (const auto& [name, value] : metrics::score(names, corpus, args.options.meteor_jar).values) {
      report.values.emplace_back(fmt::format("{} ({} {})", name, *args.by, part), value);
    }
  }
  return report;
}

}  // namespace

metrics::Corpus corpus_of(const ScoreArguments& args) { return scored_of(args).corpus; }

int score_command(const ScoreArguments& args) {
  const metrics::ScoreReport report = report_of(args);
  if (args.json) {
    fmt::print("{}\n", metrics::to_json(report));
    return 0;
  }
  std::size_t width = 0;
  for (const auto& [name, value] : report.values) width = std::max(width, name.size());
  for (const auto& [name, value] : report.values) fmt::print("{:<{}}  {:.6f}\n", name, width, value);
  for (const auto& note : report.notes) fmt::print(stderr, "preamble: {}\n", note);
  return 0;
}

}  // namespace preamble
