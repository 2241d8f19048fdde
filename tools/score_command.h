// `preamble score`: metrics of predictions against references.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/metrics/score.h"

namespace preamble {

struct ScoreArguments {
  /// Metrics, files, layout: see metrics::ScoreOptions. No metric: the group e2e.
  metrics::ScoreOptions options;
  std::string prediction_field = "prediction";  ///< of predictions in JSONL
  /// Format of references that are a data set (`load_table`); empty: by extension, and plain lines, TSV and CSV are metrics::score's.
  std::string format;
  std::vector<std::string> reference_fields = {"target"};
  std::string group_by = "source";  ///< column whose equal values have one prediction
  std::optional<std::string> by;    ///< column whose values are also scored apart
  bool json = false;
};

/// The predictions with their references, where either is a data set: rows with equal `group_by` are the references of one prediction
/// (in the order of the first of them), unless there are as many rows as predictions. Throws FileError for other numbers.
[[nodiscard]] metrics::Corpus corpus_of(const ScoreArguments& arguments);

/// Prints the scores. Throws Error.
int score_command(const ScoreArguments& arguments);

}  // namespace preamble
