#include "data/tasks/task_scores.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/labels.h"
#include "data/metrics/classification.h"
#include "data/metrics/squad.h"
#include "data/metrics/text.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using Words = std::set<std::string>;

/// What Python's float() reads, else -1.
double number_of(std::string_view text) {
  text = metrics::strip(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(number) ? number : -1;
}

/// In lower case, without determiners, between single spaces.
std::string cleaned(std::string_view text) {
  static const std::set<std::string_view> kDeterminers = {"a",  "an",   "few", "her",   "his",  "each",  "every", "many",  "much",  "my",   "our",
                                                          "some", "that", "the", "their", "these", "this", "those", "which", "whose", "your"};
  const std::string lower = metrics::lowered(metrics::strip(text));
  std::string result;
  bool first = true;
  for (const auto& word : metrics::split_at(lower, ' ')) {
    if (kDeterminers.contains(word)) continue;
    result += (first ? "" : " ") + word;
    first = false;
  }
  return result;
}

Words words_of(const std::string& text) {
  const auto words = metrics::split_at(text, ' ');
  return {words.begin(), words.end()};
}

class Scoring {
 public:
  Scoring(const NamedTask& task, const Table& table, std::span<const std::string> predictions)
      : task_(task), table_(table), predictions_(predictions) {
    require<ShapeError>(static_cast<std::int64_t>(predictions.size()) == table.rows(), "{}: {} predictions for {} rows; wanted as many",
                        table.source(), predictions.size(), table.rows());
    if (!task_.labels.empty()) read_classes();
  }

  [[nodiscard]] std::pair<const char*, double> run(TaskMetric metric) {
    switch (metric) {
      case TaskMetric::accuracy: return {"accuracy", metrics::accuracy(predicted_, gold_)};
      case TaskMetric::f1: return {"f1", metrics::binary_f1(predicted_, gold_)};
      case TaskMetric::macro_f1: return {"macro_f1", metrics::macro_f1(predicted_, gold_, classes_)};
      case TaskMetric::matthews: return {"matthews", metrics::matthews_correlation(predicted_, gold_)};
      case TaskMetric::pearson: return {"pearson", metrics::pearson_correlation(predicted_numbers(), gold_numbers())};
      case TaskMetric::spearman: return {"spearman", metrics::spearman_correlation(predicted_numbers(), gold_numbers())};
      case TaskMetric::f1a: return {"f1a", metrics::binary_f1(predicted_, gold_)};
      case TaskMetric::group_match: return {"group_match", group_match()};
      case TaskMetric::exact_match: return {"exact_match", answers().exact};
      case TaskMetric::answer_f1: return {"f1", answers().f1};
      case TaskMetric::referent: return {"accuracy", referents()};
    }
    return {};
  }

 private:
  [[nodiscard]] const std::string& field(std::int64_t row, const char* column) const { return table_.text(row, table_.column(column)); }
  [[nodiscard]] const std::string& prediction(std::int64_t row) const { return predictions_[static_cast<std::size_t>(row)]; }

  void read_classes() {
    const LabelMap map = LabelMap::parse(task_.labels);
    classes_ = static_cast<std::int32_t>(map.classes());
    const std::size_t label = table_.column("label");
    for (std::int64_t row = 0; row < table_.rows(); ++row) {
      predicted_.push_back(map.class_of_word(prediction(row)));
      gold_.push_back(map.class_of(table_, row, label));
    }
  }

  [[nodiscard]] std::vector<double> predicted_numbers() const {
    std::vector<double> numbers;
    for (const auto& text : predictions_) numbers.push_back(number_of(text));
    return numbers;
  }
  [[nodiscard]] std::vector<double> gold_numbers() const {
    std::vector<double> numbers;
    for (std::int64_t row = 0; row < table_.rows(); ++row) numbers.push_back(number_of(field(row, "target")));
    return numbers;
  }

  [[nodiscard]] double group_match() const {
    std::map<std::string, bool> right;
    for (std::int64_t row = 0; row < table_.rows(); ++row) {
      bool& all = right.try_emplace(field(row, "group"), true).first->second;
      const auto i = static_cast<std::size_t>(row);
      all = all && predicted_[i] == gold_[i];
    }
    return static_cast<double>(std::ranges::count_if(right, [](const auto& group) { return group.second; })) /
           static_cast<double>(right.size());
  }

  [[nodiscard]] metrics::SquadScores answers() const {
    metrics::SquadScores sum;
    std::set<std::string> seen;
    const bool grouped = std::ranges::find(table_.columns(), "group") != table_.columns().end();
    for (std::int64_t row = 0; row < table_.rows(); ++row) {
      if (grouped && !seen.insert(field(row, "group")).second) continue;
      const auto gold = nlohmann::json::parse(table_.cell(row, table_.column("answers")).value).get<std::vector<std::string>>();
      const auto best = metrics::best_over_answers(prediction(row), gold, metrics::SquadRules::v1);
      sum.exact += best.exact;
      sum.f1 += best.f1;
      ++sum.questions;
    }
    sum.exact /= static_cast<double>(sum.questions);
    sum.f1 /= static_cast<double>(sum.questions);
    return sum;
  }

  [[nodiscard]] double referents() const {
    double right = 0;
    for (std::int64_t row = 0; row < table_.rows(); ++row) {
      const bool label = field(row, "label") == "true";
      right += names_referent(prediction(row), field(row, "target")) == label ? 1 : 0;
    }
    return right / static_cast<double>(table_.rows());
  }

  const NamedTask& task_;
  const Table& table_;
  std::span<const std::string> predictions_;
  std::vector<std::int32_t> predicted_, gold_;
  std::int32_t classes_ = 0;
};

}  // namespace

std::optional<bool> names_referent(std::string_view prediction, std::string_view referent) {
  const std::string said = cleaned(prediction), meant = cleaned(referent);
  if (said.empty()) return std::nullopt;
  if ((said.find('\'') == std::string::npos) != (meant.find('\'') == std::string::npos)) return false;
  const Words a = words_of(said), b = words_of(meant);
  return std::ranges::includes(a, b) || std::ranges::includes(b, a);
}

TaskScores score_task(const NamedTask& task, const Table& table, std::span<const std::string> predictions) {
  Scoring scoring(task, table, predictions);
  TaskScores scores;
  double sum = 0;
  for (const auto metric : task.metrics) {
    const auto [name, value] = scoring.run(metric);
    scores[name] = value;
    sum += value;
  }
  scores["score"] = sum / static_cast<double>(task.metrics.size());
  return scores;
}

std::function<TaskScores(std::span<const std::string>)> scorer_of(std::string_view task, Table table) {
  return [task = named_task(task), table = std::move(table)](std::span<const std::string> predictions) {
    return score_task(task, table, predictions);
  };
}

}  // namespace preamble
