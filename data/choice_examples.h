// From rows of text to multiple choice: a text, and several that may follow it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/examples.h"
#include "data/sequence_examples.h"
#include "data/tokenizers/tokenizer.h"

namespace preamble {

/// How a row becomes an example of several choices.
struct ChoiceRules {
  Template text;
  /// The second text of each choice. A row may lack the last ones: a field is empty, null or not there.
  std::vector<Template> choices;
  /// Column of the right choice's number, from 0; absent for rows without labels.
  std::optional<std::string> label_column = std::nullopt;
  /// What the column holds instead of numbers: the first label stands for the first choice.
  std::optional<LabelMap> labels = std::nullopt;
  std::int64_t max_length = 128;  ///< of each choice's sequence
  /// The token that begins pieces of a model that fills blanks: then a choice is no second text, but what may stand in the blank of the
  /// text; its tokens are `tags` of the rows that predict them.
  std::optional<std::int32_t> piece_start = std::nullopt;
  std::int32_t slot = 0;
  std::int32_t head = 0;
};

/// An example per row of `table`: a pair of texts for each choice, encoded and cut as by `sequence_examples`; `label` is -1 without a
/// label column. Throws ConfigError for fewer than two choices and fields that are no column, FileError (file and line) for a row of
/// fewer than two choices, with a gap between them, or whose label is none of them.
[[nodiscard]] std::vector<Example> choice_examples(const Table& table, const ChoiceRules& rules, const Tokenizer& tokenizer,
                                                   TruncationReport& report);

}  // namespace preamble
