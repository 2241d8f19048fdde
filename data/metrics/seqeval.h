// Scores of sequence labelling: precision, recall and F1 of entities (seqeval, conlleval).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/metrics/entities.h"

namespace preamble::metrics {

/// Entities of the gold tags, of the predicted ones, and of both (same sentence, type, first and last token).
struct EntityCounts {
  std::int64_t gold = 0;
  std::int64_t predicted = 0;
  std::int64_t correct = 0;

  /// correct / predicted, 0..1; 0 if nothing is predicted.
  [[nodiscard]] double precision() const noexcept;
  /// correct / gold, 0..1; 0 if there is nothing to find.
  [[nodiscard]] double recall() const noexcept;
  /// Harmonic mean of both; 0 if both are 0.
  [[nodiscard]] double f1() const noexcept;
};

/// Scores over sentences.
struct SequenceScores {
  EntityCounts micro;
  std::map<std::string, EntityCounts> by_type;
  std::int64_t tokens = 0;
  std::int64_t correct_tokens = 0;

  /// Share of tokens with the gold tag, 0..1.
  [[nodiscard]] double accuracy() const noexcept;
  /// Mean F1 over the types that occur on either side; 0 without any.
  [[nodiscard]] double macro_f1() const noexcept;
};

/// Tags of sentences.
using TagSequences = std::vector<std::vector<std::string>>;

/// Gold and predicted tags of the same sentences.
struct TagPairs {
  TagSequences gold;
  TagSequences predicted;
};

/// Entity scores as seqeval computes them. Throws ShapeError if the sides differ in sentences or tokens of a sentence,
/// FileError as `find_entities` does.
[[nodiscard]] SequenceScores score_sequences(const TagPairs& tags, TagScheme scheme = TagScheme::lenient, TagSide side = TagSide::prefix);

/// Reads a column file as conlleval takes it: blank lines between sentences, the last column predicted, the one before it
/// gold. Throws FileError.
[[nodiscard]] TagPairs read_tag_pairs(const std::filesystem::path& path);

/// The report that conlleval prints (percentages with two decimals, types in alphabetical order), lines ended by newlines.
[[nodiscard]] std::string conlleval_report(const SequenceScores& scores);

}  // namespace preamble::metrics
