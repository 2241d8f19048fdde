// SuperGLUE's files as P-Tuning v2 casts them for encoders (Liu et al. 2022): a text or a pair, and a class.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/table.h"

namespace preamble {

/// How one task is cast.
struct SuperGlueTask {
  std::string name;    ///< boolq, cb, copa, multirc, record, rte, wic or wsc
  std::string labels;  ///< of `LabelMap`
  bool pairs = true;   ///< false: one text (wic)
  /// The rows of one question are candidates that compete; their column `group` is the same.
  bool candidates = false;
  /// Just one candidate of a question is right: multiple choice (copa).
  bool choices = false;
  std::string metric = "accuracy";  ///< by which the paper chooses a checkpoint
};

/// Throws ConfigError that lists the tasks.
[[nodiscard]] const SuperGlueTask& superglue_task(std::string_view name);
[[nodiscard]] std::vector<std::string> superglue_names();

/// Reads a file as SuperGLUE distributes it (JSONL) into the columns text, pair, label, group and candidate:
///   boolq    question, passage
///   cb, rte  premise, hypothesis
///   copa     premise + " because" or " so", each choice; class 1: the right one
///   multirc  paragraph, question + " " + answer; class 1: right
///   record   passage with "- " for highlight marks, query with each entity in the place of the placeholder; class 1: right
///   wic      both sentences and the question whether the word means the same
///   wsc      pronoun + ": " + text, noun
/// Rows of files without labels lack the column `label`. Throws FileError (file, line) for what is missing or mistyped.
[[nodiscard]] Table superglue_table(const SuperGlueTask& task, const std::filesystem::path& path);

/// The same as multiple choice, a row a question: columns text, choice1, choice2, ..., and label, the number of the right one from 0.
/// Throws ConfigError for a task that is none, FileError.
[[nodiscard]] Table superglue_choices(const SuperGlueTask& task, const std::filesystem::path& path);

}  // namespace preamble
