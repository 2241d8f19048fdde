#include "models/generate/constraints.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace preamble {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

void ban(std::span<const std::int32_t> tokens, const Scores& scores) {
  for (const auto token : tokens) scores[token] = kBanned;
}

void append(std::span<const std::int32_t> more, std::vector<std::int32_t>& tokens) { tokens.insert(tokens.end(), more.begin(), more.end()); }

void force(std::int32_t token, Scores& scores) {
  scores.ban_all();
  scores[token] = 0;
}

/// Bans what a rule that does nothing else would change.
void ban_changed(const ScoreProcessor& rule, const History& history, const Scores& scores) {
  std::vector<std::int32_t> tokens;
  rule.add_changed(history, tokens);
  ban(tokens, scores);
}

}  // namespace

void RepetitionPenalty::apply(const History& history, Scores& scores) const {
  // read all before writing: a token that occurred twice is penalised once
  std::vector<float> changed;
  changed.reserve(history.ids.size());
  for (const auto id : history.ids) changed.push_back(scores[id] < 0 ? scores[id] * penalty_ : scores[id] / penalty_);
  for (std::size_t i = 0; i < changed.size(); ++i) scores[history.ids[i]] = changed[i];
}

void RepetitionPenalty::add_changed(const History& history, std::vector<std::int32_t>& tokens) const { append(history.ids, tokens); }

void NoRepeatNgram::apply(const History& history, Scores& scores) const { ban_changed(*this, history, scores); }

void NoRepeatNgram::add_changed(const History& history, std::vector<std::int32_t>& tokens) const {
  const auto ids = history.ids;
  if (ids.size() < size_) return;
  const auto begun = ids.last(size_ - 1);
  for (std::size_t i = 0; i + size_ <= ids.size(); ++i) {
    if (std::equal(begun.begin(), begun.end(), ids.begin() + static_cast<std::ptrdiff_t>(i))) tokens.push_back(ids[i + size_ - 1]);
  }
}

BadWords::BadWords(std::vector<std::vector<std::int32_t>> words, std::span<const std::int32_t> eos_token_ids) : words_(std::move(words)) {
  std::erase_if(words_, [&](const auto& word) {
    return word.size() == 1 && std::find(eos_token_ids.begin(), eos_token_ids.end(), word.front()) != eos_token_ids.end();
  });
}

void BadWords::apply(const History& history, Scores& scores) const { ban_changed(*this, history, scores); }

void BadWords::add_changed(const History& history, std::vector<std::int32_t>& tokens) const {
  for (const auto& word : words_) {
    if (word.size() > 1 && word.size() > history.ids.size()) continue;
    const auto behind = history.ids.last(word.size() - 1);
    if (std::equal(behind.begin(), behind.end(), word.begin())) tokens.push_back(word.back());
  }
}

void MinimumLength::apply(const History& history, Scores& scores) const { ban_changed(*this, history, scores); }

void MinimumLength::add_changed(const History& history, std::vector<std::int32_t>& tokens) const {
  if (static_cast<std::int64_t>(history.ids.size()) < history.length_floor) append(eos_token_ids_, tokens);
}

bool ForcedFirstToken::forces(const History& history) noexcept { return history.ids.size() == 1; }

void ForcedFirstToken::apply(const History& history, Scores& scores) const {
  if (forces(history)) force(token_, scores);
}

void ForcedFirstToken::add_changed(const History& history, std::vector<std::int32_t>& tokens) const {
  if (forces(history)) tokens.push_back(token_);
}

bool ForcedLastToken::forces(const History& history) noexcept {
  return static_cast<std::int64_t>(history.ids.size()) == history.length_limit - 1;
}

void ForcedLastToken::apply(const History& history, Scores& scores) const {
  if (forces(history)) force(token_, scores);
}

void ForcedLastToken::add_changed(const History& history, std::vector<std::int32_t>& tokens) const {
  if (forces(history)) tokens.push_back(token_);
}

void SuppressTokens::apply(const History& history, Scores& scores) const { ban_changed(*this, history, scores); }

void SuppressTokens::add_changed(const History& /*history*/, std::vector<std::int32_t>& tokens) const { append(tokens_, tokens); }

}  // namespace preamble
