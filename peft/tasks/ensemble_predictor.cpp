#include "peft/tasks/ensemble_predictor.h"

#include <cmath>
#include <cstddef>

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

std::vector<HeadLogits> predict_together(Predictor& predictor, std::span<const Example> examples, std::size_t members) {
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
  const std::vector<HeadLogits> all = predictor.predict(repeated);
  std::vector<HeadLogits> result;
  result.reserve(examples.size());
  for (std::size_t i = 0; i < examples.size(); ++i)
    result.push_back(mean_prediction(std::span(all).subspan(i * members, members), heads.front()));
  return result;
}

}  // namespace preamble
