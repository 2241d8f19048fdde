// A model whose logits are a hash of the tokens so far: any history has its own, and Python computes the same.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/generate/decoder.h"
#include "tests/support/scored_logits.h"

namespace preamble::testing {

/// logits[v] = (unit(hash(last `order` tokens), v) - 1/2) * scale, + end_bias for end tokens; rounded to multiples of `unit_of_scores` unless
/// that is 0. Order 0: all tokens.
struct ToyModel {
  std::int64_t vocabulary;
  std::size_t order;
  std::uint64_t seed;
  float scale;
  std::vector<std::int32_t> ends;
  float end_bias;
  float unit_of_scores = 0;

  [[nodiscard]] std::vector<float> logits(std::span<const std::int32_t> ids) const {
    std::uint64_t h = seed;
    for (const auto id : order > 0 && ids.size() > order ? ids.last(order) : ids)
      h = (h ^ static_cast<std::uint64_t>(id + 1)) * 0x100000001B3ULL;
    std::vector<float> row;
    for (std::int64_t v = 0; v < vocabulary; ++v)
      row.push_back((unit(h + static_cast<std::uint64_t>(v + 1) * 0x9E3779B97F4A7C15ULL) - 0.5F) * scale);
    for (const auto end : ends) row[static_cast<std::size_t>(end)] += end_bias;
    if (unit_of_scores > 0) {
      for (float& x : row) x = std::round(x / unit_of_scores) * unit_of_scores;
    }
    return row;
  }

 private:
  /// splitmix64's finaliser, its upper 24 bits as a number in [0, 1).
  static float unit(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    z ^= z >> 31U;
    return static_cast<float>(z >> 40U) * 0x1.0p-24F;
  }
};

/// Keeps the tokens of each row, as a model keeps its cache.
class ToyDecoder : public Decoder {
 public:
  explicit ToyDecoder(ToyModel model) : model_(std::move(model)) {}

  [[nodiscard]] std::int64_t vocabulary() const override { return model_.vocabulary; }

  [[nodiscard]] ScoreRequest prepare(const ScoreRequest& wanted) override { return scored_.prepare(wanted); }

  [[nodiscard]] ScoreRows prefill(std::span<const std::vector<std::int32_t>> prompts, const ScoreQueries& queries) override {
    rows_.assign(prompts.begin(), prompts.end());
    sequences_.clear();
    for (std::size_t i = 0; i < prompts.size(); ++i) sequences_.push_back(static_cast<std::int32_t>(i));
    return scores(queries);
  }

  [[nodiscard]] ScoreRows step(std::span<const StepRow> rows, const ScoreQueries& queries) override {
    std::vector<std::vector<std::int32_t>> next;
    std::vector<std::int32_t> sequences;
    for (const auto& row : rows) {
      next.push_back(rows_.at(static_cast<std::size_t>(row.parent)));
      next.back().push_back(row.token);
      follows_sequence &= sequences_.at(static_cast<std::size_t>(row.parent)) == row.sequence;
      in_order &= sequences.empty() || sequences.back() <= row.sequence;
      sequences.push_back(row.sequence);
    }
    rows_ = std::move(next);
    sequences_ = std::move(sequences);
    fed += rows.size();
    return scores(queries);
  }

  /// Whether each row so far named a parent of its own sequence, and came in order of the sequences.
  bool follows_sequence = true;
  bool in_order = true;
  /// Rows of all steps so far.
  std::size_t fed = 0;

 private:
  [[nodiscard]] ScoreRows scores(const ScoreQueries& queries) {
    logits_.clear();
    for (const auto& row : rows_) {
      for (const float x : model_.logits(row)) logits_.push_back(x);
    }
    return scored_.score(logits_, model_.vocabulary, queries);
  }

  ToyModel model_;
  ScoredLogits scored_;
  std::vector<std::vector<std::int32_t>> rows_;
  std::vector<std::int32_t> sequences_;
  std::vector<float> logits_;
};

}  // namespace preamble::testing
