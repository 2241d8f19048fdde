// Files of labels or numbers, one a line, scored by the classification metrics.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace preamble::metrics {

/// Predicted and gold labels as class indices: of integers the numbers themselves if every gold label is an integer from 0
/// to 9999, else the places of the gold labels in alphabetical order. A prediction that is no gold label becomes -1.
struct LabelIndices {
  std::vector<std::int32_t> predicted;
  std::vector<std::int32_t> gold;
  std::int32_t classes = 0;
};

/// Indices of labels, compared without white space at their ends. Throws ShapeError if the sides differ in number.
[[nodiscard]] LabelIndices label_indices(const std::vector<std::string>& predicted, const std::vector<std::string>& gold);

/// Each line as a number. Throws FileError with the line for what is none; `source` begins the message.
[[nodiscard]] std::vector<double> parse_numbers(const std::vector<std::string>& lines, const std::string& source);

}  // namespace preamble::metrics
