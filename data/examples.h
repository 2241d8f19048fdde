// From rows of text to token ids.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/labels.h"
#include "data/table.h"
#include "data/template.h"
#include "data/truncation.h"

namespace preamble {

/// Marks a token without a tag (transformers' label -100).
inline constexpr std::int32_t kNoTag = -100;

/// One training or test example. What does not apply is empty or -1.
struct Example {
  std::vector<std::int32_t> source = {};
  std::vector<std::int32_t> target = {};
  /// Segment of each source token (BERT); empty: all 0.
  std::vector<std::int32_t> types = {};
  /// Class of each source token, kNoTag where it has none; for token classification and masked language models.
  std::vector<std::int32_t> tags = {};
  std::int32_t label = -1;
  double value = 0;         ///< the number to predict, for regression
  std::int32_t begin = -1;  ///< first and last token of an answer, as places in `source`
  std::int32_t end = -1;
  std::int32_t head = 0;  ///< which task's head it is trained with
  std::int64_t row = 0;   ///< of the table it comes from
  std::int32_t slot = 0;  ///< which prompt it is trained with
  /// Multiple choice: tokens of each choice; `source` holds their sequences one behind the other, and `label` is the right one's number.
  /// Empty: `source` is one sequence.
  std::vector<std::int32_t> choices = {};

  /// Sequences that a model reads.
  [[nodiscard]] std::int64_t sequences() const noexcept { return choices.empty() ? 1 : static_cast<std::int64_t>(choices.size()); }
};

/// Tokens of the longest source; 1 without any.
[[nodiscard]] std::int64_t longest_source(std::span<const Example> examples) noexcept;

/// Ids put around the texts; they count in the length limits and are never cut.
struct SpecialTokens {
  std::vector<std::int32_t> source_begin = {};
  std::vector<std::int32_t> source_end = {};
  std::vector<std::int32_t> target_begin = {};
  std::vector<std::int32_t> target_end = {};
};

/// How a row becomes an example.
struct ExampleRules {
  Template source;
  /// The field that is cut when the source is too long; empty: the longest (see `encode_truncated`).
  std::string cut_field = {};
  /// Target text; absent for classification and for input without targets. Not together with `labels`.
  std::optional<Template> target = std::nullopt;
  /// Classes of `label_column`. The example gets the class number as label and the class's word as target.
  std::optional<LabelMap> labels = std::nullopt;
  std::string label_column = "label";
  /// In front of every target's text.
  std::string target_prefix = {};
  SpecialTokens special = {};
  std::int64_t max_source_length = 512;
  std::int64_t max_target_length = 128;
  std::int32_t slot = 0;
};

/// An example per row of `table`, in its order. Throws ConfigError for rules that contradict each other or name unknown
/// columns, FileError (file and line) for a row that cannot be encoded: see `encode_truncated` and `LabelMap::class_of`.
[[nodiscard]] std::vector<Example> make_examples(const Table& table, const ExampleRules& rules, const Tokenize& tokenize,
                                                 TruncationReport& report);

}  // namespace preamble
