#include "models/generate/score_reader.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>

#include "engine/core/error.h"

namespace preamble {
namespace {

void require_count(std::string_view what, std::size_t given, std::size_t rows, std::int64_t width) {
  require<ShapeError>(given == rows * static_cast<std::size_t>(width), "generate: the decoder returned {} {}; wanted {} rows of {}", given, what,
                      rows, width);
}

template <class T>
std::span<const T> row_of(std::span<const T> all, std::size_t row, std::int64_t width) {
  return all.subspan(row * static_cast<std::size_t>(width), static_cast<std::size_t>(width));
}

}  // namespace

ScoreRequest request_for(const GenerationConfig& config, const ScoreProcessors& processors,
                         std::span<const std::vector<std::int32_t>> prompts, std::int64_t vocabulary) {
  ScoreRequest request;
  request.log_probabilities = config.num_beams > 1;
  if (config.do_sample) return request;
  request.best = config.num_beams == 1 ? 1 : std::min(candidate_count(config), vocabulary);
  std::int64_t longest = 0;
  for (const auto& prompt : prompts) longest = std::max(longest, length_limit(config, static_cast<std::int64_t>(prompt.size())) - 1);
  const auto most = static_cast<std::uint64_t>(most_changed(processors, static_cast<std::size_t>(longest), vocabulary));
  request.asked = std::min(most == 0 ? 0 : static_cast<std::int64_t>(std::bit_ceil(most)), vocabulary);
  return request;
}

void QueryList::clear() {
  asked_.clear();
  counts_.clear();
  offsets_.clear();
}

void QueryList::add(const History& history, float offset) {
  tokens_.clear();
  if (request_.asked > 0) find_changed(processors_, history, tokens_);
  counts_.push_back(tokens_.size());
  tokens_.resize(static_cast<std::size_t>(request_.asked), -1);
  asked_.insert(asked_.end(), tokens_.begin(), tokens_.end());
  offsets_.push_back(offset);
}

std::span<const std::int32_t> QueryList::asked(std::size_t row) const {
  return row_of(std::span(asked_), row, request_.asked).first(counts_.at(row));
}

ScoreMemory::ScoreMemory(const ScoreRequest& request, std::size_t rows, std::int64_t vocabulary)
    : width_(static_cast<std::size_t>(request.best == 0 ? vocabulary : request.best + request.asked)),
      values_(rows * width_),
      tokens_(request.best == 0 ? 0 : rows * width_) {}

ScoreReader::ScoreReader(const ScoreRows& scores, const ScoreRequest& request, std::size_t rows, std::int64_t vocabulary)
    : scores_(scores), request_(request), vocabulary_(vocabulary) {
  if (request.best == 0) {
    require_count("logits", scores.logits.size(), rows, vocabulary);
    if (request.log_probabilities) require_count("sums", scores.log_sum.size(), rows, 1);
  } else {
    require_count("best scores", scores.best_scores.size(), rows, request.best);
    require_count("best tokens", scores.best_tokens.size(), rows, request.best);
    require_count("scores that were asked for", scores.asked_scores.size(), rows, request.asked);
  }
  if (request.best > 0 || request.log_probabilities) require_count("largest logits", scores.largest.size(), rows, 1);
}

void ScoreReader::check_numbers(std::size_t row) const {
  const float top = scores_.largest[row];
  require<Error>(!std::isnan(top), "generate: a score is NaN; wanted numbers");
  require<Error>(!request_.log_probabilities || std::isfinite(top), "generate: the largest score of a row is {}; wanted a number", top);
}

Scores ScoreReader::read_all(std::size_t row, std::span<float> values) const {
  const auto logits = row_of(scores_.logits, row, vocabulary_);
  if (request_.log_probabilities) {
    const float top = scores_.largest[row];
    const float log_sum = scores_.log_sum[row];
    std::transform(logits.begin(), logits.end(), values.begin(), [&](float x) { return x - top - log_sum; });
  } else {
    std::copy(logits.begin(), logits.end(), values.begin());
  }
  return Scores(values);
}

Scores ScoreReader::read(std::size_t row, std::span<const std::int32_t> asked, ScoreMemory& memory, std::size_t to) const {
  if (!scores_.largest.empty()) check_numbers(row);
  const auto values = memory.values(to);
  const auto tokens = memory.tokens(to);
  if (request_.best == 0) return read_all(row, values);
  std::copy(asked.begin(), asked.end(), tokens.begin());
  const auto asked_scores = row_of(scores_.asked_scores, row, request_.asked).first(asked.size());
  std::copy(asked_scores.begin(), asked_scores.end(), values.begin());
  std::size_t count = asked.size();
  const auto best_scores = row_of(scores_.best_scores, row, request_.best);
  const auto best_tokens = row_of(scores_.best_tokens, row, request_.best);
  for (std::size_t i = 0; i < best_tokens.size() && best_tokens[i] >= 0; ++i) {
    values[count] = best_scores[i];
    tokens[count++] = best_tokens[i];
  }
  return {values.first(count), tokens.first(count), asked.size(), vocabulary_};
}

}  // namespace preamble
