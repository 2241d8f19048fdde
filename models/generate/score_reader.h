// Between a search and its decoder: what is asked for each row, and the scores that come back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/generate/decoder.h"
#include "models/generate/score_processor.h"
#include "models/generate/scores.h"

namespace preamble {

/// What a search needs of each row: all logits when tokens are drawn, since `top_k` keeps equals of the k-th and `top_p` reads the whole
/// distribution; else as many tokens as it may take, and those that rules may change. The number of these is rounded up to a power of two,
/// so that a decoder prepares for similar prompts once.
[[nodiscard]] ScoreRequest request_for(const GenerationConfig& config, const ScoreProcessors& processors,
                                       std::span<const std::vector<std::int32_t>> prompts, std::int64_t vocabulary);

/// The queries of one call, built row by row.
class QueryList {
 public:
  /// For what the decoder has agreed to.
  QueryList(const ScoreProcessors& processors, const ScoreRequest& request) : processors_(processors), request_(request) {}

  void clear();
  /// The next row. `offset` is added to the scores of its best tokens.
  void add(const History& history, float offset);

  [[nodiscard]] ScoreQueries queries() const noexcept { return {asked_, offsets_}; }
  /// The tokens that a row asks for, ascending.
  [[nodiscard]] std::span<const std::int32_t> asked(std::size_t row) const;

 private:
  const ScoreProcessors& processors_;
  ScoreRequest request_;
  std::vector<std::int32_t> asked_;   ///< [rows, A], -1 behind a row's last
  std::vector<std::size_t> counts_;   ///< [rows]
  std::vector<float> offsets_;        ///< [rows]
  std::vector<std::int32_t> tokens_;  ///< scratch
};

/// Memory for the scores of some rows.
class ScoreMemory {
 public:
  ScoreMemory(const ScoreRequest& request, std::size_t rows, std::int64_t vocabulary);

  [[nodiscard]] std::span<float> values(std::size_t row, std::size_t rows = 1) noexcept {
    return std::span(values_).subspan(row * width_, rows * width_);
  }
  /// Empty if whole rows are read.
  [[nodiscard]] std::span<std::int32_t> tokens(std::size_t row) noexcept {
    return tokens_.empty() ? std::span<std::int32_t>() : std::span(tokens_).subspan(row * width_, width_);
  }

 private:
  std::size_t width_;  ///< most scores of a row
  std::vector<float> values_;
  std::vector<std::int32_t> tokens_;
};

/// What a call returned.
class ScoreReader {
 public:
  /// Throws ShapeError unless there are scores of `rows` rows as requested.
  ScoreReader(const ScoreRows& scores, const ScoreRequest& request, std::size_t rows, std::int64_t vocabulary);

  /// The scores of a row that asked for these tokens, in the memory of row `to`. Throws Error if a logit is NaN or, with
  /// log-probabilities, if the largest one is infinite. (NaN in whole rows of logits is found by the draw.)
  [[nodiscard]] Scores read(std::size_t row, std::span<const std::int32_t> asked, ScoreMemory& memory, std::size_t to) const;

 private:
  void check_numbers(std::size_t row) const;
  [[nodiscard]] Scores read_all(std::size_t row, std::span<float> values) const;

  ScoreRows scores_;
  ScoreRequest request_;
  std::int64_t vocabulary_;
};

}  // namespace preamble
