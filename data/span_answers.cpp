#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/span_examples.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

struct Pair {
  CharRange bytes;
  double score = 0;
};

/// Places of the n largest logits, the largest first; of equal ones the last, as a reversed stable sort gives them.
std::vector<std::size_t> best_places(const std::vector<float>& logits, std::int64_t n) {
  std::vector<std::size_t> places(logits.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  const auto count = static_cast<std::ptrdiff_t>(std::min<std::size_t>(static_cast<std::size_t>(n), places.size()));
  std::partial_sort(places.begin(), places.begin() + count, places.end(),
                    [&](std::size_t a, std::size_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a > b; });
  places.resize(static_cast<std::size_t>(count));
  return places;
}

/// The pairs that the rules allow in one window.
void append_pairs(const SpanWindow& window, const SpanLogits& logits, const AnswerRules& rules, std::vector<Pair>& pairs) {
  const auto ends = best_places(logits.end, rules.n_best_size);
  for (const std::size_t start : best_places(logits.start, rules.n_best_size)) {
    for (const std::size_t end : ends) {
      const auto from = static_cast<std::int64_t>(start) - window.first;
      const auto to = static_cast<std::int64_t>(end) - window.first;
      const auto size = static_cast<std::int64_t>(window.offsets.size());
      if (from < 0 || to >= size || to < from || to - from + 1 > rules.max_answer_length) continue;
      const CharRange bytes{window.offsets[static_cast<std::size_t>(from)].begin, window.offsets[static_cast<std::size_t>(to)].end};
      pairs.push_back({bytes, static_cast<double>(logits.start[start]) + static_cast<double>(logits.end[end])});
    }
  }
}

void add_probabilities(std::vector<SpanCandidate>& candidates) {
  double total = 0;
  for (auto& candidate : candidates) total += candidate.probability = std::exp(candidate.score - candidates.front().score);
  for (auto& candidate : candidates) candidate.probability /= total;
}

SpanAnswer answer_of(const std::string& context, std::vector<Pair> pairs, double null_score, const AnswerRules& rules) {
  std::ranges::stable_sort(pairs, [](const Pair& a, const Pair& b) { return a.score > b.score; });
  if (pairs.size() > static_cast<std::size_t>(rules.n_best_size)) pairs.resize(static_cast<std::size_t>(rules.n_best_size));
  SpanAnswer answer;
  for (const auto& [bytes, score] : pairs)
    answer.candidates.push_back(
        {context.substr(static_cast<std::size_t>(bytes.begin), static_cast<std::size_t>(bytes.end - bytes.begin)), score});
  const double best = pairs.empty() ? -std::numeric_limits<double>::infinity() : pairs.front().score;
  answer.null_score_diff = null_score - best;
  if (!pairs.empty()) answer.text = answer.candidates.front().text;
  if (rules.version_2_with_negative) {
    if (answer.null_score_diff > rules.null_score_diff_threshold) answer.text.clear();
    const auto behind = std::ranges::find_if(answer.candidates, [&](const SpanCandidate& c) { return c.score < null_score; });
    answer.candidates.insert(behind, {"", null_score});
  }
  if (!answer.candidates.empty()) add_probabilities(answer.candidates);
  return answer;
}

}  // namespace

std::vector<SpanAnswer> span_answers(const SquadData& data, const std::vector<SpanWindow>& windows, const std::vector<SpanLogits>& logits,
                                     const AnswerRules& rules) {
  require<ShapeError>(windows.size() == logits.size(), "answers: {} windows and logits of {}; wanted as many", windows.size(),
                      logits.size());
  require<ConfigError>(rules.n_best_size > 0 && rules.max_answer_length > 0,
                       "answers: {} best of at most {} tokens; wanted positive numbers", rules.n_best_size, rules.max_answer_length);
  std::vector<std::vector<Pair>> pairs(data.questions.size());
  std::vector<double> null_scores(data.questions.size(), std::numeric_limits<double>::infinity());
  for (std::size_t w = 0; w < windows.size(); ++w) {
    const std::size_t length = windows[w].example.source.size();
    require<ShapeError>(logits[w].start.size() == length && logits[w].end.size() == length,
                        "answers: {} and {} logits for a window of {} tokens", logits[w].start.size(), logits[w].end.size(), length);
    const std::size_t question = windows[w].question;
    null_scores.at(question) =
        std::min(null_scores.at(question), static_cast<double>(logits[w].start[0]) + static_cast<double>(logits[w].end[0]));
    append_pairs(windows[w], logits[w], rules, pairs[question]);
  }
  std::vector<SpanAnswer> answers;
  for (std::size_t q = 0; q < data.questions.size(); ++q)
    answers.push_back(answer_of(data.paragraphs.at(data.questions[q].paragraph).context, std::move(pairs[q]), null_scores[q], rules));
  return answers;
}

std::map<std::string, std::string> predictions_of(const SquadData& data, const std::vector<SpanAnswer>& answers) {
  std::map<std::string, std::string> predictions;
  for (std::size_t q = 0; q < answers.size(); ++q) predictions.emplace(data.questions.at(q).id, answers[q].text);
  return predictions;
}

}  // namespace preamble
