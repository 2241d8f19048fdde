#include "models/score_outputs.h"

#include <algorithm>
#include <string_view>

#include "engine/core/error.h"
#include "engine/ops/cast.h"
#include "engine/ops/top_k.h"

namespace preamble {
namespace {

constexpr std::string_view kAsked = "scores.asked", kOffsets = "scores.offsets";  // inputs
constexpr std::string_view kLogits = "scores.logits", kLargest = "scores.largest", kLogSum = "scores.log_sum", kBest = "scores.best",
                           kTokens = "scores.tokens", kAskedScores = "scores.of_asked";  // results

template <class T>
void fill_input(Session& session, std::string_view name, std::span<const T> values, std::size_t count, T none) {
  require<ShapeError>(values.empty() || values.size() == count, "{}: {} values were given; wanted {}", name, values.size(), count);
  const auto memory = session.input<T>(name);
  require<ShapeError>(memory.size() == count, "{}: {} values are wanted; the program has room for {}", name, count, memory.size());
  if (values.empty()) {
    std::fill(memory.begin(), memory.end(), none);
  } else {
    std::copy(values.begin(), values.end(), memory.begin());
  }
}

template <class T>
void copy_row(std::vector<T>& to, std::size_t row, std::size_t rows, std::span<const T> from, std::size_t from_row, std::size_t from_rows) {
  const std::size_t width = from.size() / from_rows;
  to.resize(rows * width);
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(from_row * width), width, to.begin() + static_cast<std::ptrdiff_t>(row * width));
}

}  // namespace

bool ScoreOutputs::serve(const ScoreRequest& wanted) const noexcept {
  return wanted.best == request_.best && wanted.log_probabilities == request_.log_probabilities && wanted.asked <= request_.asked;
}

void ScoreOutputs::add(Graph& graph, Value logits) const {
  const Scope scope(graph, "scores");
  if (!has_best()) graph.output(kLogits, cast(logits, graph.statistic()));
  if (!has_best() && !request_.log_probabilities) return;
  const RowSpaceId rows = logits.type().rows;
  TopKOperands operands;
  if (request_.asked > 0) operands.asked = graph.input(kAsked, {Dtype::i32, rows, {request_.asked}});
  if (has_offsets()) operands.offset = graph.input(kOffsets, {graph.statistic(), rows, {}});
  const TopKResult result = top_k(logits, std::max<std::int64_t>(1, request_.best), request_.log_probabilities, operands);
  graph.output(kLargest, result.largest);
  if (!has_best()) {
    graph.output(kLogSum, result.log_sum);
    return;
  }
  graph.output(kBest, result.scores);
  graph.output(kTokens, result.index);
  if (result.asked) graph.output(kAskedScores, result.asked);
}

void ScoreOutputs::feed(Session& session, const ScoreQueries& queries, std::size_t rows) const {
  if (request_.asked > 0) fill_input(session, kAsked, queries.asked, rows * static_cast<std::size_t>(request_.asked), std::int32_t{-1});
  if (has_offsets()) fill_input(session, kOffsets, queries.offsets, rows, 0.0F);
}

ScoreRows ScoreOutputs::read(const Session& session) const {
  ScoreRows rows;
  if (!has_best()) rows.logits = session.result<float>(kLogits);
  if (has_best() || request_.log_probabilities) rows.largest = session.result<float>(kLargest);
  if (!has_best() && request_.log_probabilities) rows.log_sum = session.result<float>(kLogSum);
  if (!has_best()) return rows;
  rows.best_scores = session.result<float>(kBest);
  rows.best_tokens = session.result<std::int32_t>(kTokens);
  if (request_.asked > 0) rows.asked_scores = session.result<float>(kAskedScores);
  return rows;
}

QueryRows::QueryRows(const ScoreQueries& queries, const ScoreRequest& request, std::span<const std::size_t> rows) {
  for (const std::size_t row : rows) {
    if (!queries.asked.empty()) {
      const auto width = static_cast<std::size_t>(request.asked);
      const auto asked = queries.asked.subspan(row * width, width);
      asked_.insert(asked_.end(), asked.begin(), asked.end());
    }
    if (!queries.offsets.empty()) offsets_.push_back(queries.offsets[row]);
  }
}

void ScoreTable::resize(std::size_t rows) {
  *this = {};
  rows_ = rows;
}

void ScoreTable::set(std::size_t to, const ScoreRows& scores, std::size_t from, std::size_t rows) {
  copy_row(logits_, to, rows_, scores.logits, from, rows);
  copy_row(largest_, to, rows_, scores.largest, from, rows);
  copy_row(log_sum_, to, rows_, scores.log_sum, from, rows);
  copy_row(best_scores_, to, rows_, scores.best_scores, from, rows);
  copy_row(best_tokens_, to, rows_, scores.best_tokens, from, rows);
  copy_row(asked_scores_, to, rows_, scores.asked_scores, from, rows);
}

ScoreRows ScoreTable::rows() const noexcept { return {logits_, largest_, log_sum_, best_scores_, best_tokens_, asked_scores_}; }

}  // namespace preamble
