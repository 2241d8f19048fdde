#include "peft/tasks/ensemble_predictor.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Adds the softmax of each row of `classes` logits.
void add_probabilities(const HeadLogits& logits, std::size_t classes, std::vector<double>& sum) {
  for (std::size_t row = 0; row < logits.size(); row += classes) {
    const auto probabilities = softmax(std::span(logits).subspan(row, classes));
    for (std::size_t c = 0; c < classes; ++c) sum[row + c] += probabilities[c];
  }
}

std::vector<HeadLogits> of_example(const std::vector<std::vector<HeadLogits>>& members, std::size_t example) {
  std::vector<HeadLogits> said;
  for (const auto& member : members) said.push_back(member.at(example));
  return said;
}

HeadLogits mean_of(const std::vector<HeadLogits>& members) {
  HeadLogits mean(members.front().size());
  for (std::size_t i = 0; i < mean.size(); ++i) {
    double sum = 0;
    for (const auto& logits : members) sum += static_cast<double>(logits.at(i));
    mean[i] = static_cast<float>(sum / static_cast<double>(members.size()));
  }
  return mean;
}

/// log of the mean over the members of each end's softmax over the tokens of the window: [tokens, 2].
HeadLogits mean_of_ends(const std::vector<HeadLogits>& members) {
  constexpr std::size_t kEnds = 2;
  const std::size_t tokens = members.front().size() / kEnds;
  std::vector<double> sum(members.front().size());
  for (const auto& logits : members) {
    for (std::size_t end = 0; end < kEnds; ++end) {
      HeadLogits column(tokens);
      for (std::size_t t = 0; t < tokens; ++t) column[t] = logits.at(t * kEnds + end);
      const auto probabilities = softmax(column);
      for (std::size_t t = 0; t < tokens; ++t) sum[t * kEnds + end] += probabilities[t];
    }
  }
  HeadLogits result(sum.size());
  for (std::size_t i = 0; i < sum.size(); ++i)
    // a probability that underflows in every member stays comparable
    result[i] = static_cast<float>(std::log(std::max(sum[i] / static_cast<double>(members.size()), 1e-300)));
  return result;
}

/// Logits whose largest is the class that most members choose: 1 for it and 0 for the others, for each row.
HeadLogits votes_of(const std::vector<HeadLogits>& members, std::size_t classes) {
  HeadLogits result(members.front().size());
  for (std::size_t row = 0; row < result.size(); row += classes) {
    std::vector<Vote> votes;
    for (const auto& logits : members) {
      Vote& vote = votes.emplace_back();
      for (const double p : softmax(std::span(logits).subspan(row, classes))) vote.log_likelihoods.push_back(std::log(std::max(p, 1e-300)));
      vote.choice = static_cast<std::int32_t>(std::ranges::max_element(vote.log_likelihoods) - vote.log_likelihoods.begin());
    }
    result[row + static_cast<std::size_t>(majority_vote(votes))] = 1;
  }
  return result;
}

}  // namespace

HeadLogits mean_prediction(std::span<const HeadLogits> members, const HeadedLimits::Shape& head) {
  require<ShapeError>(!members.empty(), "ensemble: no predictions were given; wanted one at least");
  const std::size_t size = members.front().size();
  // choices compete like classes, as many as the example has
  const std::size_t classes = head.kind == HeadKind::choice ? size : static_cast<std::size_t>(head.classes);
  require<ShapeError>(classes > 0 && size % classes == 0, "ensemble: {} logits were given for {} classes", size, classes);
  const bool of_classes = head.kind != HeadKind::span && classes > 1;
  std::vector<double> sum(size, 0.0);
  for (const auto& logits : members) {
    require<ShapeError>(logits.size() == size, "ensemble: {} and {} logits were given for one example", size, logits.size());
    if (of_classes) {
      add_probabilities(logits, classes, sum);
    } else {
      for (std::size_t i = 0; i < size; ++i) sum[i] += logits[i];
    }
  }
  HeadLogits result(size);
  const auto count = static_cast<double>(members.size());
  for (std::size_t i = 0; i < size; ++i) result[i] = static_cast<float>(of_classes ? std::log(sum[i] / count) : sum[i] / count);
  return result;
}

std::vector<std::vector<HeadLogits>> predict_each(Predictor& predictor, std::span<const Example> examples, std::size_t members) {
  const auto& heads = predictor.limits().heads;
  require<ShapeError>(heads.size() == 1 || heads.size() == members, "ensemble: {} heads were given for {} adapters", heads.size(), members);
  std::vector<Example> repeated;
  repeated.reserve(examples.size() * members);
  for (const auto& example : examples) {
    for (std::size_t i = 0; i < members; ++i) {
      repeated.push_back(example);
      repeated.back().slot = static_cast<std::int32_t>(i);
      repeated.back().head = static_cast<std::int32_t>(heads.size() == 1 ? 0 : i);
    }
  }
  std::vector<HeadLogits> all = predictor.predict(repeated);
  std::vector<std::vector<HeadLogits>> result(members);
  for (std::size_t i = 0; i < all.size(); ++i) result[i % members].push_back(std::move(all[i]));
  return result;
}

std::vector<HeadLogits> predict_together(Predictor& predictor, std::span<const Example> examples, std::size_t members) {
  const auto each = predict_each(predictor, examples, members);
  std::vector<HeadLogits> result;
  result.reserve(examples.size());
  for (std::size_t i = 0; i < examples.size(); ++i) result.push_back(mean_prediction(of_example(each, i), predictor.limits().heads.front()));
  return result;
}

std::vector<HeadLogits> combined_predictions(const LabelledData& data, const std::vector<std::vector<HeadLogits>>& members,
                                             const HeadedLimits::Shape& head, Vote::Way way) {
  require<ShapeError>(!members.empty(), "ensemble: no predictions were given; wanted one at least");
  const bool spans = head.kind == HeadKind::span;
  if (way == Vote::Way::majority && spans) return data.majority(members);
  std::vector<HeadLogits> result;
  for (std::size_t i = 0; i < members.front().size(); ++i) {
    const auto said = of_example(members, i);
    const std::size_t size = said.front().size();
    const std::size_t classes = head.kind == HeadKind::choice ? size : static_cast<std::size_t>(head.classes);
    if (way == Vote::Way::logits || classes <= 1) {
      result.push_back(mean_of(said));
    } else if (spans) {
      result.push_back(mean_of_ends(said));
    } else {
      result.push_back(way == Vote::Way::majority ? votes_of(said, classes) : mean_prediction(said, head));
    }
  }
  return result;
}

}  // namespace preamble
