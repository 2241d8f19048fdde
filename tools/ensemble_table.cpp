#include "tools/ensemble_table.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace preamble {

EnsembleTable::Scores EnsembleTable::mean() const {
  Scores mean;
  for (const auto& [name, scores] : members_) {
    for (const auto& [score, value] : scores) mean[score] += value / static_cast<double>(members_.size());
  }
  return mean;
}

EnsembleTable::Scores EnsembleTable::best() const {
  Scores best;
  for (const auto& [name, scores] : members_) {
    for (const auto& [score, value] : scores) {
      const auto [found, added] = best.try_emplace(score, value);
      if (!added) found->second = score == "loss" ? std::min(found->second, value) : std::max(found->second, value);
    }
  }
  return best;
}

std::string EnsembleTable::text() const {
  require<ConfigError>(!members_.empty(), "ensemble: no members were given; wanted one at least");
  std::size_t width = 8;
  for (const auto* lines : {&members_, &ensembles_}) {
    for (const auto& [name, scores] : *lines) width = std::max(width, name.size() + 2);
  }
  std::string text = fmt::format("{:<{}}", "", width);
  for (const auto& [score, value] : members_.front().second) text += fmt::format("  {:>12}", score);
  text += '\n';
  const auto line = [&](const std::string& name, const Scores& scores) {
    text += fmt::format("{:<{}}", name, width);
    for (const auto& [score, unused] : members_.front().second) text += fmt::format("  {:>12.4f}", scores.at(score));
    text += '\n';
  };
  for (const auto& [name, scores] : members_) line(name, scores);
  line("mean", mean());
  line("best", best());
  for (const auto& [way, scores] : ensembles_) line(way, scores);
  return text;
}

nlohmann::ordered_json EnsembleTable::json() const {
  nlohmann::ordered_json json = {{"members", nlohmann::ordered_json::array()}};
  for (const auto& [name, scores] : members_) {
    nlohmann::ordered_json member = {{"adapter", name}};
    for (const auto& [score, value] : scores) member[score] = value;
    json["members"].push_back(std::move(member));
  }
  json["mean"] = mean();
  json["best"] = best();
  for (const auto& [way, scores] : ensembles_) json["ensemble"][way] = scores;
  return json;
}

}  // namespace preamble
