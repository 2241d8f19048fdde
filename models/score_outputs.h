// What the programs of generation return of their logits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/runtime/session.h"
#include "models/generate/decoder.h"

namespace preamble {

/// The results of a program for a search's request. Where it asks for the best tokens, logits stay on the program's device.
class ScoreOutputs {
 public:
  ScoreOutputs() = default;
  explicit ScoreOutputs(const ScoreRequest& request) : request_(request) {}

  [[nodiscard]] const ScoreRequest& request() const noexcept { return request_; }
  /// True if results for `wanted` can be read from these: the same, but for the number of tokens asked for, which may be less.
  [[nodiscard]] bool serve(const ScoreRequest& wanted) const noexcept;

  /// Adds inputs and results to a graph that computes logits [rows, V].
  void add(Graph& graph, Value logits) const;
  /// Fills the inputs for `rows` rows. Throws ShapeError for queries of another number of rows.
  void feed(Session& session, const ScoreQueries& queries, std::size_t rows) const;
  /// The results of the last run: valid until the next one.
  [[nodiscard]] ScoreRows read(const Session& session) const;

 private:
  [[nodiscard]] bool has_best() const noexcept { return request_.best > 0; }
  [[nodiscard]] bool has_offsets() const noexcept { return has_best() && request_.log_probabilities; }

  ScoreRequest request_;
};

/// The queries of some rows.
class QueryRows {
 public:
  /// Row i is row rows[i] of `queries`.
  QueryRows(const ScoreQueries& queries, const ScoreRequest& request, std::span<const std::size_t> rows);
  [[nodiscard]] ScoreQueries queries() const noexcept { return {asked_, offsets_}; }

 private:
  std::vector<std::int32_t> asked_;
  std::vector<float> offsets_;
};

/// Rows of scores that are collected from several runs.
class ScoreTable {
 public:
  /// Makes room for `rows` rows.
  void resize(std::size_t rows);
  /// Copies row `from` of `scores`, which has `rows` rows, to row `to`.
  void set(std::size_t to, const ScoreRows& scores, std::size_t from, std::size_t rows);
  [[nodiscard]] ScoreRows rows() const noexcept;

 private:
  std::size_t rows_ = 0;
  std::vector<float> logits_, largest_, log_sum_, best_scores_, asked_scores_;
  std::vector<std::int32_t> best_tokens_;
};

}  // namespace preamble
