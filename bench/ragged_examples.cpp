#include "bench/ragged_examples.h"

#include <algorithm>
#include <utility>

namespace preamble::bench {

std::vector<Example> ragged_examples(const BatchShape& batch, const LanguageModel& model, std::uint64_t seed) {
  std::vector<Example> examples;
  for (std::int64_t i = 1; i <= batch.sequences; ++i) {
    const auto part = [&](std::int64_t tokens) { return std::max<std::int64_t>(1, tokens * i / batch.sequences); };
    BatchShape one = batch;
    one.sequences = 1;
    one.source = part(batch.source), one.target = part(batch.target), one.tokens = part(tokens_of(batch, model));
    for (auto& example : made_up_examples(one, model, seed + static_cast<std::uint64_t>(i))) examples.push_back(std::move(example));
  }
  return examples;
}

}  // namespace preamble::bench
