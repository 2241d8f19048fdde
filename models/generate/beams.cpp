#include "models/generate/beams.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace preamble {
namespace {

/// What transformers adds to a score that must lose; also the score of a finished beam that does not exist yet. Finite, so a beam
/// that ended runs on where nothing else is left, and scores keep an order.
constexpr float kLost = -1.0e9F;

std::size_t beam_of(const Candidate& candidate, std::int64_t vocabulary) { return static_cast<std::size_t>(candidate.index / vocabulary); }

std::int32_t token_of(const Candidate& candidate, std::int64_t vocabulary) {
  return static_cast<std::int32_t>(candidate.index % vocabulary);
}

}  // namespace

Beams::Beams(const GenerationConfig& config, std::span<const std::int32_t> prompt)
    : beams_(static_cast<std::size_t>(config.num_beams)),
      length_penalty_(config.length_penalty),
      early_stopping_(config.early_stopping),
      eos_token_ids_(config.eos_token_ids),
      length_limit_(static_cast<std::size_t>(length_limit(config, static_cast<std::int64_t>(prompt.size())))),
      prompt_(prompt.begin(), prompt.end()),
      running_(beams_, Running{prompt_, kLost, 0}),
      next_(beams_) {
  running_.front().score = 0;
}

bool Beams::ends(std::int32_t token, std::size_t length) const {
  return length >= length_limit_ || std::find(eos_token_ids_.begin(), eos_token_ids_.end(), token) != eos_token_ids_.end();
}

float Beams::normalised(float score, std::int64_t generated) const {
  return score / static_cast<float>(std::pow(static_cast<double>(generated), length_penalty_));
}

void Beams::advance(std::span<const Candidate> candidates, std::int64_t vocabulary) {
  const std::size_t length = running_.front().ids.size() + 1;
  open_scores_.clear();
  bool all_end = true;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const bool end = ends(token_of(candidates[i], vocabulary), length);
    open_scores_.push_back(end ? candidates[i].score + kLost : candidates[i].score);
    if (end && i < beams_) finish(candidates[i], vocabulary);
    all_end &= end;
  }
  go_on(candidates, vocabulary);
  const bool full = finished_.size() == beams_;
  done_ = all_end || (full && early_stopping_ == EarlyStopping::yes) || !can_improve();
}

void Beams::finish(const Candidate& candidate, std::int64_t vocabulary) {
  const auto& from = running_[beam_of(candidate, vocabulary)].ids;
  const float score = normalised(candidate.score, static_cast<std::int64_t>(from.size() + 1 - prompt_.size()));
  const auto worse = [](float s, const Finished& f) { return s > f.score; };
  const auto behind = std::upper_bound(finished_.begin(), finished_.end(), score, worse);
  if (score < kLost || behind == finished_.begin() + static_cast<std::ptrdiff_t>(beams_)) return;
  auto& inserted = *finished_.insert(behind, Finished{from, score});
  inserted.ids.push_back(token_of(candidate, vocabulary));
  if (finished_.size() > beams_) finished_.pop_back();
}

void Beams::go_on(std::span<const Candidate> candidates, std::int64_t vocabulary) {
  largest(open_scores_, beams_, open_);
  for (std::size_t b = 0; b < beams_; ++b) {
    const auto& candidate = candidates[static_cast<std::size_t>(open_[b].index)];
    const std::size_t from = beam_of(candidate, vocabulary);
    next_[b].ids.assign(running_[from].ids.begin(), running_[from].ids.end());
    next_[b].ids.push_back(token_of(candidate, vocabulary));
    next_[b].score = open_[b].score;
    next_[b].parent = static_cast<std::int32_t>(from);
  }
  std::swap(running_, next_);
}

bool Beams::can_improve() const {
  const bool at_limit = early_stopping_ == EarlyStopping::never && length_penalty_ > 0;
  const std::size_t length = at_limit ? length_limit_ : running_.front().ids.size();
  const float worst = finished_.size() == beams_ ? finished_.back().score : kLost;
  return normalised(running_.front().score, static_cast<std::int64_t>(length - prompt_.size())) > worst;
}

std::vector<std::vector<std::int32_t>> Beams::best(std::size_t count) const {
  std::vector<std::vector<std::int32_t>> sequences;
  for (std::size_t i = 0; i < count; ++i) sequences.push_back(i < finished_.size() ? finished_[i].ids : prompt_);
  return sequences;
}

}  // namespace preamble
