#include "peft/tasks/span_data.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/metrics/squad.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "peft/tasks/sampling.h"

namespace preamble {
namespace {

/// Of an answer's text among its candidates; of the last one if it is not there.
double probability_of(const SpanAnswer& answer, const std::string& text) {
  if (answer.candidates.empty()) return 0;
  const auto found = std::ranges::find(answer.candidates, text, &SpanCandidate::text);
  return found != answer.candidates.end() ? found->probability : answer.candidates.back().probability;
}

}  // namespace

SpanData::SpanData(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer, const LoadOptions& options)
    : rules_{task.n_best_size, task.max_answer_length, task.version_2_with_negative, 0}, data_(read_squad(path)) {
  data_.questions = sampled(std::move(data_.questions), options);
  if (options.with_labels) {
    for (const auto& question : data_.questions)
      require<FileError>(task.version_2_with_negative || !question.answers.empty(),
                         "{}: question '{}' has no answer; wanted one, or version_2_with_negative", path.string(), question.id);
  }
  if (options.training) leave_out_unplaced(path);
  windows_ = span_windows(data_, {task.length(), task.doc_stride}, tokenizer, truncation_);
  for (auto& window : windows_) {
    window.example.head = options.head;
    examples_.push_back(window.example);
  }
}

void SpanData::leave_out_unplaced(const std::filesystem::path& path) {
  // the first answer is the one that is learnt
  const auto unplaced = [](const SquadQuestion& question) { return !question.answers.empty() && !question.answers.front().begin; };
  const auto first = std::ranges::find_if(data_.questions, unplaced);
  if (first == data_.questions.end()) return;
  const std::string id = first->id;
  const std::size_t count = std::erase_if(data_.questions, unplaced);
  warn(fmt::format("{}: {} questions skipped, '{}' first: their answer does not stand at answer_start, nor once elsewhere in the context",
                   path.string(), count, id));
  require<FileError>(!data_.questions.empty(), "{}: no question is left; wanted one whose answer stands in its context", path.string());
}

std::vector<SpanAnswer> SpanData::answers(std::span<const HeadLogits> logits) const {
  require_all(logits);
  std::vector<SpanLogits> ends;
  for (const auto& pairs : logits) {
    SpanLogits& window = ends.emplace_back();
    for (std::size_t t = 0; t + 1 < pairs.size(); t += 2) {
      window.start.push_back(pairs[t]);
      window.end.push_back(pairs[t + 1]);
    }
  }
  return span_answers(data_, windows_, ends, rules_);
}

std::vector<HeadLogits> SpanData::majority(const std::vector<std::vector<HeadLogits>>& members) const {
  std::vector<std::vector<SpanAnswer>> said;
  for (const auto& logits : members) said.push_back(answers(logits));
  std::vector<std::size_t> chosen(data_.questions.size());
  for (std::size_t q = 0; q < chosen.size(); ++q) {
    std::tuple<std::size_t, double> best{0, 0};
    for (std::size_t m = 0; m < said.size(); ++m) {
      const std::string& text = said[m][q].text;
      std::size_t count = 0;
      double sum = 0;
      for (const auto& member : said) {
        count += member[q].text == text ? 1 : 0;
        sum += std::log(std::max(probability_of(member[q], text), 1e-300));
      }
      if (m == 0 || std::tuple(count, sum) > best) {
        best = {count, sum};
        chosen[q] = m;
      }
    }
  }
  std::vector<HeadLogits> result;
  for (std::size_t w = 0; w < windows_.size(); ++w) result.push_back(members.at(chosen[windows_[w].question]).at(w));
  return result;
}

Metrics SpanData::score(std::span<const HeadLogits> logits) const {
  constexpr double kPercent = 100;
  const auto rules = rules_.version_2_with_negative ? metrics::SquadRules::v2 : metrics::SquadRules::v1;
  const auto scores = metrics::squad_scores(data_.questions, predictions_of(data_, answers(logits)), rules);
  return {{"exact", scores.exact / kPercent}, {"f1", scores.f1 / kPercent}};
}

void SpanData::predict(std::span<const HeadLogits> logits, const JsonSink& sink) const {
  const auto chosen = answers(logits);
  for (std::size_t q = 0; q < chosen.size(); ++q) {
    nlohmann::ordered_json json = {{"id", data_.questions[q].id}, {"prediction", chosen[q].text}};
    if (rules_.version_2_with_negative) json["null_score_diff"] = chosen[q].null_score_diff;
    for (const auto& candidate : chosen[q].candidates)
      json["n_best"].push_back({{"text", candidate.text}, {"score", candidate.score}, {"probability", candidate.probability}});
    sink(json);
  }
}

}  // namespace preamble
