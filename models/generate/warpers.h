// Rules on the distribution that tokens are drawn from: sampling only, on rows that list all tokens.
#pragma once

#include <cstddef>

#include "models/generate/score_processor.h"

namespace preamble {

/// score -> score / temperature.
class TemperatureWarper : public ScoreProcessor {
 public:
  explicit TemperatureWarper(double temperature) : temperature_(static_cast<float>(temperature)) {}
  void apply(const History& history, Scores& scores) const override;

 private:
  float temperature_;
};

/// Bans what is below the k-th largest score (Fan et al. 2018); equals of the k-th stay. At least `keep` tokens stay.
class TopKWarper : public ScoreProcessor {
 public:
  TopKWarper(std::size_t k, std::size_t keep) : k_(k < keep ? keep : k) {}
  void apply(const History& history, Scores& scores) const override;

 private:
  std::size_t k_;
};

/// Bans the least probable tokens as long as their probabilities add up to at most 1 - p (Holtzman et al. 2020). At least `keep`
/// tokens stay.
class TopPWarper : public ScoreProcessor {
 public:
  TopPWarper(double p, std::size_t keep) : rest_(static_cast<float>(1.0 - p)), keep_(keep) {}
  void apply(const History& history, Scores& scores) const override;

 private:
  float rest_;
  std::size_t keep_;
};

}  // namespace preamble
