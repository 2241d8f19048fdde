// Infixes of the golden GPT-2, as embeddings and as keys and values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/gpt2/gpt2.h"
#include "peft/prefix_tuning.h"
#include "peft/prompt_tuning.h"
#include "tests/support/prefixes.h"

namespace preamble::testing {

/// Embeddings of words: between source and target they must do what the words themselves do there.
[[nodiscard]] inline PromptSlot words(Gpt2& model, const Ids& ids) {
  const Tensor embedding = model.embedding();
  Tensor rows(Dtype::f32, {static_cast<std::int64_t>(ids.size()), model.width()});
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Tensor word = embedding.rows(ids[i], 1);
    std::ranges::copy(std::as_const(word).values<float>(), rows.values<float>().begin() + static_cast<std::ptrdiff_t>(i) * model.width());
  }
  return {rows, static_cast<std::int64_t>(ids.size())};
}

/// Keys and values for all three layers of 4 heads of 8.
[[nodiscard]] inline PrefixSlot keys_and_values(std::int64_t tokens, std::uint64_t seed) {
  SitePrefixTable table{PackedRows{random_floats({tokens, 3 * 2 * 32}, seed)}, 4, 8, pairs_of_layers(3, 1)};
  return {{Site::decoder_self, std::move(table)}};
}

/// Two slots of two rows and of one. `kind`: prompt or prefix.
[[nodiscard]] inline std::unique_ptr<Method> two_infixes(const std::string& kind) {
  if (kind == "prompt") {
    std::vector<PromptSlot> slots = {{random_floats({2, 32}, 1), 2}, {random_floats({1, 32}, 2), 1}};
    return std::make_unique<PromptTuning>(std::move(slots), Placement::infix);
  }
  std::vector<PrefixSlot> slots = {keys_and_values(2, 3), keys_and_values(1, 4)};
  return std::make_unique<PrefixTuning>(std::move(slots), PrefixPositions{.shifted = true, .placement = Placement::infix});
}

}  // namespace preamble::testing
