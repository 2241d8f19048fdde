// Scores of the members of an ensemble beside those of all together.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace preamble {

/// Lester et al. 2021, table 3: each member, their mean, the best of them by each score, and the ensemble in each of its ways.
class EnsembleTable {
 public:
  using Scores = std::map<std::string, double>;

  void add_member(std::string name, Scores scores) { members_.emplace_back(std::move(name), std::move(scores)); }
  void add_ensemble(std::string way, Scores scores) { ensembles_.emplace_back(std::move(way), std::move(scores)); }

  [[nodiscard]] Scores mean() const;
  /// The largest of each score; of losses the smallest.
  [[nodiscard]] Scores best() const;

  /// A line each, columns for the scores.
  [[nodiscard]] std::string text() const;
  /// {"members": [{"adapter": ..., scores}], "mean": {...}, "best": {...}, "ensemble": {"majority": {...}, ...}}
  [[nodiscard]] nlohmann::ordered_json json() const;

 private:
  std::vector<std::pair<std::string, Scores>> members_, ensembles_;
};

}  // namespace preamble
