// Scores files of outputs against files of references: the metrics by name.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/metrics/corpus.h"
#include "data/metrics/entities.h"

namespace preamble::metrics {

/// What to score and how.
struct ScoreOptions {
  /// Names of metrics and of groups (`metric_list` has them all).
  std::vector<std::string> metrics;
  /// Outputs: lines of text or a TSV/CSV file (generation), labels or numbers a line (classification), predictions as JSON
  /// (SQuAD), columns with the gold and the predicted tag last (sequence labelling, which takes no references).
  std::filesystem::path hypotheses;
  std::vector<std::filesystem::path> references;
  ReferenceLayout layout = ReferenceLayout::automatic;
  TagScheme scheme = TagScheme::lenient;
  TagSide side = TagSide::prefix;
  /// meteor-1.5.jar; empty: the environment variable PREAMBLE_METEOR_JAR.
  std::filesystem::path meteor_jar;
};

/// Values in the order of the request, and what a reader of them must know.
struct ScoreReport {
  std::vector<std::pair<std::string, double>> values;
  std::vector<std::string> notes;
};

/// A metric or group that `score` knows.
struct MetricInfo {
  std::string name;
  std::string description;
};

/// Every metric and group, with its scale.
[[nodiscard]] std::vector<MetricInfo> metric_list();

/// Whether a metric reads its files itself (labels, tags, answers) instead of texts with their references.
[[nodiscard]] bool scores_files(std::string_view name);

/// Computes the metrics. A metric that a group names but that cannot run here (METEOR without its program) becomes a note;
/// one that is named itself throws. Throws ConfigError for an unknown name, no name, or missing references; FileError for files
/// that cannot be read or do not fit.
[[nodiscard]] ScoreReport score(const ScoreOptions& options);

/// The same for texts in memory: metrics of generation alone. Throws ConfigError also for a metric that wants files.
[[nodiscard]] ScoreReport score(const std::vector<std::string>& metrics, const Corpus& corpus,
                                const std::filesystem::path& meteor_jar = {});

/// {"name": value, ..., "notes": [...]}; `notes` only if there are any.
[[nodiscard]] std::string to_json(const ScoreReport& report);

}  // namespace preamble::metrics
