#include "models/generate/constraints.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace preamble {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

void ban(std::span<const std::int32_t> tokens, std::span<float> scores) {
  for (const auto token : tokens) scores[token] = kBanned;
}

void force(std::int32_t token, std::span<float> scores) {
  std::fill(scores.begin(), scores.end(), kBanned);
  scores[token] = 0;
}

}  // namespace

void RepetitionPenalty::apply(const History& history, std::span<float> scores) const {
  // read all before writing: a token that occurred twice is penalised once
  std::vector<float> changed;
  changed.reserve(history.ids.size());
  for (const auto id : history.ids) changed.push_back(scores[id] < 0 ? scores[id] * penalty_ : scores[id] / penalty_);
  for (std::size_t i = 0; i < changed.size(); ++i) scores[history.ids[i]] = changed[i];
}

void NoRepeatNgram::apply(const History& history, std::span<float> scores) const {
  const auto ids = history.ids;
  if (ids.size() < size_) return;
  const auto begun = ids.last(size_ - 1);
  for (std::size_t i = 0; i + size_ <= ids.size(); ++i) {
    if (std::equal(begun.begin(), begun.end(), ids.begin() + static_cast<std::ptrdiff_t>(i))) scores[ids[i + size_ - 1]] = kBanned;
  }
}

BadWords::BadWords(std::vector<std::vector<std::int32_t>> words, std::span<const std::int32_t> eos_token_ids) : words_(std::move(words)) {
  std::erase_if(words_, [&](const auto& word) {
    return word.size() == 1 && std::find(eos_token_ids.begin(), eos_token_ids.end(), word.front()) != eos_token_ids.end();
  });
}

void BadWords::apply(const History& history, std::span<float> scores) const {
  for (const auto& word : words_) {
    if (word.size() > 1 && word.size() > history.ids.size()) continue;
    const auto behind = history.ids.last(word.size() - 1);
    if (std::equal(behind.begin(), behind.end(), word.begin())) scores[word.back()] = kBanned;
  }
}

void MinimumLength::apply(const History& history, std::span<float> scores) const {
  if (static_cast<std::int64_t>(history.ids.size()) < history.length_floor) ban(eos_token_ids_, scores);
}

void ForcedFirstToken::apply(const History& history, std::span<float> scores) const {
  if (history.ids.size() == 1) force(token_, scores);
}

void ForcedLastToken::apply(const History& history, std::span<float> scores) const {
  if (static_cast<std::int64_t>(history.ids.size()) == history.length_limit - 1) force(token_, scores);
}

void SuppressTokens::apply(const History& /*history*/, std::span<float> scores) const { ban(tokens_, scores); }

}  // namespace preamble
