// Classes: the values in a file, the words that stand for them, and their numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/table.h"

namespace preamble {

/// Maps the values of a label column to words and class numbers. Values that share a word are one class; classes are
/// numbered in the order in which their words appear.
class LabelMap {
 public:
  /// `0=negative,1=positive`; an entry without `=` is value and word at once (`entailment,not_entailment`). Or JSON, where values and words
  /// may hold commas and `=`: a list of words that are values too, or an object of values and words.
  /// Throws ConfigError for an empty entry or a value that appears twice, and for malformed JSON.
  [[nodiscard]] static LabelMap parse(std::string_view text);
  /// The text that `parse` reads as these values, each its own word.
  [[nodiscard]] static std::string spelled(const std::vector<std::string>& values);
  /// A value as files are compared: without blanks round it, and a whole number without its `.0` (tables turn numbers of a column with gaps
  /// into fractions).
  [[nodiscard]] static std::string canonical(std::string_view value);
  /// From (value, word) pairs. Throws ConfigError as `parse`, and for no pair at all.
  explicit LabelMap(const std::vector<std::pair<std::string, std::string>>& pairs);

  /// Words of the classes.
  [[nodiscard]] const std::vector<std::string>& words() const noexcept { return words_; }
  [[nodiscard]] std::size_t classes() const noexcept { return words_.size(); }
  /// Class of a value, or -1.
  [[nodiscard]] std::int32_t find(std::string_view value) const;
  /// Class of the label in `column` of a row. Throws FileError (file and line) if it is missing or not in the map.
  [[nodiscard]] std::int32_t class_of(const Table& table, std::int64_t row, std::size_t column) const;
  /// Class whose word is exactly `text`, without stripping or case folding, or -1 (the rule by which T5 scores text).
  [[nodiscard]] std::int32_t class_of_word(std::string_view text) const noexcept;

 private:
  std::vector<std::string> words_;
  std::map<std::string, std::int32_t, std::less<>> values_;  ///< by `canonical`
};

}  // namespace preamble
