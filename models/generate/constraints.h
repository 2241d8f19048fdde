// Rules on what may be generated, for every kind of search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/generate/score_processor.h"

namespace preamble {

/// score -> score / penalty if positive, else score * penalty, once for each token that occurred (Keskar et al. 2019, section 4.1;
/// negative scores as in transformers).
class RepetitionPenalty : public ScoreProcessor {
 public:
  explicit RepetitionPenalty(double penalty) : penalty_(static_cast<float>(penalty)) {}
  void apply(const History& history, Scores& scores) const override;
  void add_changed(const History& history, std::vector<std::int32_t>& tokens) const override;
  [[nodiscard]] std::size_t most_changed(std::size_t length) const override { return length; }

 private:
  float penalty_;
};

/// Bans each token that would complete an n-gram that occurred (Paulus et al. 2017, section 2.5).
class NoRepeatNgram : public ScoreProcessor {
 public:
  /// `size` must be above 0.
  explicit NoRepeatNgram(int size) : size_(static_cast<std::size_t>(size)) {}
  void apply(const History& history, Scores& scores) const override;
  void add_changed(const History& history, std::vector<std::int32_t>& tokens) const override;
  [[nodiscard]] std::size_t most_changed(std::size_t length) const override { return length; }

 private:
  std::size_t size_;
};

/// Bans the last token of a word behind its other tokens. As in transformers a word that is longer than the history is not looked
/// for, and one that is an end token alone is dropped.
class BadWords : public ScoreProcessor {
 public:
  BadWords(std::vector<std::vector<std::int32_t>> words, std::span<const std::int32_t> eos_token_ids);
  void apply(const History& history, Scores& scores) const override;
  void add_changed(const History& history, std::vector<std::int32_t>& tokens) const override;
  [[nodiscard]] std::size_t most_changed(std::size_t /*length*/) const override { return words_.size(); }

 private:
  std::vector<std::vector<std::int32_t>> words_;
};

/// Bans the end tokens while the sequence is shorter than the history's `length_floor`.
class MinimumLength : public ScoreProcessor {
 public:
  explicit MinimumLength(std::vector<std::int32_t> eos_token_ids) : eos_token_ids_(std::move(eos_token_ids)) {}
  void apply(const History& history, Scores& scores) const override;
  void add_changed(const History& history, std::vector<std::int32_t>& tokens) const override;
  [[nodiscard]] std::size_t most_changed(std::size_t /*length*/) const override { return eos_token_ids_.size(); }

 private:
  std::vector<std::int32_t> eos_token_ids_;
};

/// Leaves one token, with score 0, behind a history of length 1.
class ForcedFirstToken : public ScoreProcessor {
 public:
  explicit ForcedFirstToken(std::int32_t token) : token_(token) {}
  void apply(const History& history, Scores& scores) const override;
  void add_changed(const History& history, std::vector<std::int32_t>& tokens) const override;
  [[nodiscard]] std::size_t most_changed(std::size_t /*length*/) const override { return 1; }

 private:
  [[nodiscard]] static bool forces(const History& history) noexcept;

  std::int32_t token_;
};

/// Leaves one token, with score 0, at the last position before the length limit.
class ForcedLastToken : public ScoreProcessor {
 public:
  explicit ForcedLastToken(std::int32_t token) : token_(token) {}
  void apply(const History& history, Scores& scores) const override;
  void add_changed(const History& history, std::vector<std::int32_t>& tokens) const override;
  [[nodiscard]] std::size_t most_changed(std::size_t /*length*/) const override { return 1; }

 private:
  [[nodiscard]] static bool forces(const History& history) noexcept;

  std::int32_t token_;
};

/// Bans a list of tokens always.
class SuppressTokens : public ScoreProcessor {
 public:
  explicit SuppressTokens(std::vector<std::int32_t> tokens) : tokens_(std::move(tokens)) {}
  void apply(const History& history, Scores& scores) const override;
  void add_changed(const History& history, std::vector<std::int32_t>& tokens) const override;
  [[nodiscard]] std::size_t most_changed(std::size_t /*length*/) const override { return tokens_.size(); }

 private:
  std::vector<std::int32_t> tokens_;
};

}  // namespace preamble
