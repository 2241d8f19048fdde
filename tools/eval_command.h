// `preamble eval`, `predict`, `generate`: what a trained prompt (or a plain model) answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/generation_options.h"
#include "tools/task_options.h"
#include "tools/weight_options.h"

namespace preamble {

struct EvalArguments {
  std::filesystem::path model;
  std::vector<std::filesystem::path> adapters;  ///< several: an ensemble that votes
  std::filesystem::path file;
  std::optional<std::filesystem::path> output;  ///< predictions as JSONL
  bool generate = false;                        ///< classes too: also compare generated texts with the label words
  std::vector<std::string> metrics = {};        ///< of generated texts, by the names of `preamble score`, and `loss`
  bool distinct = false;                        ///< predict: one answer for rows with equal inputs
  WeightOptions weights = {};
  bool json = false;
};

/// Scores a labelled file.
int eval_command(const EvalArguments& arguments, const TaskOptions& task, const GenerationOptions& generation);

/// Answers each row of a file: JSONL with the row's number, the prediction and, for classes, the probability of each label.
/// Rows need no labels. Without `output` the lines go to standard output; an `output` that ends in .txt gets the predictions alone.
int predict_command(const EvalArguments& arguments, const TaskOptions& task, const GenerationOptions& generation);

struct GenerateArguments {
  std::filesystem::path model;
  std::vector<std::filesystem::path> adapters;  ///< slot 0 is used, or each in turn with `all`
  std::vector<std::string> texts;
  WeightOptions weights = {};
};

/// Continues texts given on the command line, or lines of standard input.
int generate_command(const GenerateArguments& arguments, const GenerationOptions& generation);

}  // namespace preamble
