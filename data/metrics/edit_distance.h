// Word edit distance within a beam, with the edits, as the translation edit rate needs it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/metrics/ngrams.h"

namespace preamble::metrics {

/// What happens to a word when the hypothesis is rewritten into the reference.
enum class Edit : std::uint8_t { none, keep, substitute, insert, erase };

/// Edit distances of many hypotheses of one length (shifted versions of each other) to one reference. Rows of the table
/// that belong to the words which two successive hypotheses begin with are computed once.
class BeamEditDistance {
 public:
  /// `hypothesis_words`: the length of every hypothesis. Cells farther than `beam` from the diagonal are not looked at;
  /// a beam too narrow for the ratio of the lengths is widened.
  BeamEditDistance(const Tokens& reference, std::size_t hypothesis_words, std::int64_t beam);

  /// Fewest insertions, deletions and substitutions. `hypothesis` has the length that was announced.
  [[nodiscard]] std::int64_t operator()(const Tokens& hypothesis);

  /// The edits of the last call, in the order of the text. Of equally good ones a substitution (or nothing) comes before a
  /// deletion, and that before an insertion.
  [[nodiscard]] std::vector<Edit> edits() const;

 private:
  struct Cell {
    std::int64_t cost;
    Edit edit;
  };

  void fill_row(std::size_t i, const std::string& word);
  [[nodiscard]] const Cell& at(std::size_t i, std::size_t j) const { return table_[i * columns_ + j]; }

  const Tokens& reference_;
  std::size_t rows_;
  std::size_t columns_;
  std::int64_t beam_;
  double ratio_;
  std::vector<Cell> table_;
  Tokens words_;
};

}  // namespace preamble::metrics
