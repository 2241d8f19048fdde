// Scores of predicted texts by the rules of T5's evaluation.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "data/table.h"
#include "data/tasks/named_task.h"

namespace preamble {

/// Scores by name, as fractions.
using TaskScores = std::map<std::string, double>;

/// The metrics of a task for a prediction per row of `table`, as `load_named_task` reads it for evaluation, and `score`, their mean.
///
///   classes   a text is the class whose word it is to the letter; any other text is wrong
///   numbers   what Python's float() reads, else -1; the gold number is the rounded target
///   answers   SQuAD's exact match and F1, each the best of all answers; of rows with one `group` the first counts
///   MultiRC   f1a: F1 of class 1 over all answers; group_match: share of the questions all of whose answers are right
///   WSC       right if `names_referent` says what the label says
///
/// Throws ShapeError for another number of predictions, FileError for rows without the gold columns.
[[nodiscard]] TaskScores score_task(const NamedTask& task, const Table& table, std::span<const std::string> predictions);

/// `score_task` of this task and table as a function.
[[nodiscard]] std::function<TaskScores(std::span<const std::string>)> scorer_of(std::string_view task, Table table);

/// Whether a text names the referent of WSC: in lower case and without determiners the words of one are among those of the other. False
/// if just one of the two has an apostrophe; nothing for a text without any other word, which is wrong whatever the label.
[[nodiscard]] std::optional<bool> names_referent(std::string_view prediction, std::string_view referent);

}  // namespace preamble
