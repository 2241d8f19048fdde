// From rows of text, alone or in pairs, to what an encoder with a head reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/examples.h"
#include "data/tokenizers/tokenizer.h"

namespace preamble {

/// How a row becomes the example of a sequence classification or regression.
struct SequenceRules {
  Template text;
  /// The second text of a pair.
  std::optional<Template> pair = std::nullopt;
  /// Classes of `label_column`; absent for regression and for rows without labels.
  std::optional<LabelMap> labels = std::nullopt;
  /// `label_column` is a number.
  bool regression = false;
  std::string label_column = "label";
  std::int64_t max_length = 128;
  std::int32_t slot = 0;
  std::int32_t head = 0;
};

/// Makes the examples of single rows.
class SequenceMaker {
 public:
  /// `table`, `tokenizer` and `report`, where cuts are counted, must outlive it. Throws ConfigError for rules that contradict each other.
  SequenceMaker(const Table& table, SequenceRules rules, const Tokenizer& tokenizer, TruncationReport& report);

  /// Throws FileError as `sequence_examples`.
  [[nodiscard]] Example make(std::int64_t row);

 private:
  void encode_pair(std::int64_t row, Example& example);
  void encode_single(std::int64_t row, Example& example);

  const Table& table_;
  SequenceRules rules_;
  const Tokenizer& tokenizer_;
  TruncationReport& report_;
  BoundTemplate text_;
  std::optional<BoundTemplate> pair_;
  std::size_t label_column_ = 0;
};

/// An example per row of `table`, in its order, with the special tokens and segments of the tokenizer. A single text that is too long
/// is cut in its fields, never in the template's own words (see `encode_truncated`); of a pair the longer text is cut at its end. What
/// was cut is counted in `report`. Throws ConfigError for rules that contradict each other, FileError (file and line) for a row that
/// cannot be encoded or has no such label or number.
[[nodiscard]] std::vector<Example> sequence_examples(const Table& table, const SequenceRules& rules, const Tokenizer& tokenizer,
                                                     TruncationReport& report);

/// Words of a vocabulary that stand for classes: a verbalizer (Schick and Schütze 2021; Liu et al. 2022, section 4).
class Verbalizer {
 public:
  /// Each word must be one token; in front of it stands what the tokenizer makes of a space (`Ġgreat` for `great`) if that is one
  /// token, else the word alone. Throws ConfigError for another word, for two classes of one token, and for a vocabulary without mask.
  Verbalizer(const std::vector<std::string>& words, const Tokenizer& tokenizer);

  /// Ids of the words of the classes.
  [[nodiscard]] const std::vector<std::int32_t>& ids() const noexcept { return ids_; }
  [[nodiscard]] std::int32_t mask() const noexcept { return mask_; }

  /// Turns classes into the word to predict at the mask: `tags` is set there. Throws FileError unless each example has exactly one
  /// mask; `table` names its row.
  void label(std::vector<Example>& examples, const Table& table) const;

 private:
  std::vector<std::int32_t> ids_;
  std::int32_t mask_ = 0;
};

}  // namespace preamble
