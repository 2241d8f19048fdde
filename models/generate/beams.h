// The beam search of one sequence, apart from model and scores: which beams run, which are finished, when to stop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/generate/generation_config.h"
#include "models/generate/select.h"

namespace preamble {

/// Running and finished beams of one sequence, with the arithmetic of transformers' vectorised beam search.
///
/// A step takes the `candidate_count` best continuations of all running beams, whose score is the sum of their log-probabilities.
/// Those that end (end token or length limit) among the best `num_beams` are finished, with score / (generated tokens)^length_penalty;
/// the best `num_beams` others go on. The lengths count the generated tokens with the end token, without prompt or start token.
class Beams {
 public:
  /// All beams start from the prompt; the first with score 0, the others with -1e9, so that they add nothing new.
  Beams(const GenerationConfig& config, std::span<const std::int32_t> prompt);

  /// No step can improve the result any more.
  [[nodiscard]] bool done() const noexcept { return done_; }
  /// Number of running beams.
  [[nodiscard]] std::size_t count() const noexcept { return running_.size(); }
  /// Prompt and generated tokens of a running beam.
  [[nodiscard]] std::span<const std::int32_t> ids(std::size_t beam) const { return running_[beam].ids; }
  /// Sum of the log-probabilities of its generated tokens.
  [[nodiscard]] float score(std::size_t beam) const { return running_[beam].score; }
  /// The beam that it continues, as numbered before the last `advance`.
  [[nodiscard]] std::int32_t parent(std::size_t beam) const { return running_[beam].parent; }

  /// One step. A candidate's index is beam * vocabulary + token; they come best first, or in the order in which they were drawn.
  void advance(std::span<const Candidate> candidates, std::int64_t vocabulary);

  /// The best finished sequences with their prompts, best first; the bare prompt where fewer have finished.
  [[nodiscard]] std::vector<std::vector<std::int32_t>> best(std::size_t count) const;

 private:
  struct Running {
    std::vector<std::int32_t> ids;
    float score;
    std::int32_t parent;
  };
  struct Finished {
    std::vector<std::int32_t> ids;
    float score;
  };

  [[nodiscard]] bool ends(std::int32_t token, std::size_t length) const;
  [[nodiscard]] float normalised(float score, std::int64_t generated) const;
  [[nodiscard]] bool can_improve() const;
  void finish(const Candidate& candidate, std::int64_t vocabulary);
  void go_on(std::span<const Candidate> candidates, std::int64_t vocabulary);

  // what the search needs of the options
  std::size_t beams_;
  double length_penalty_;
  EarlyStopping early_stopping_;
  std::vector<std::int32_t> eos_token_ids_;
  std::size_t length_limit_;

  std::vector<std::int32_t> prompt_;
  std::vector<Running> running_;
  std::vector<Running> next_;       // scratch, swapped with running_
  std::vector<Finished> finished_;  // best first, at most beams_
  std::vector<float> open_scores_;  // scratch: the candidates' scores, those that end pushed down
  std::vector<Candidate> open_;     // scratch: the candidates that go on
  bool done_ = false;
};

}  // namespace preamble
