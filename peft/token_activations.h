// What the layers of a plain model compute for single words, and which of them a prefix resembles.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "models/language_model.h"
#include "peft/neighbours.h"
#include "peft/prefix_tuning.h"

namespace preamble {

/// Marks keys and values of all attentions of a plain model's graph as results, `SITE.key.LAYER` and `SITE.value.LAYER`; returns how many
/// layers each site has.
std::map<Site, std::int64_t> mark_activations(Graph& graph, const LanguageModel& model);

/// The words that rows of a prefix resemble at one layer.
struct ResembledWords {
  Site site = Site::decoder_self;
  std::int64_t layer = 0;
  /// For each row of the prefix, by the cosine of all heads together.
  std::vector<std::vector<Neighbour>> keys, values;
};

/// For each site and layer that the prefix conditions, the `count` of `tokens` whose keys (values) have the largest cosine with each row. A
/// token's activations are those of a text of this token alone: a source, and behind the start token a decoder's input. Tokens are run in
/// blocks. Throws ConfigError for no tokens and a count below one.
[[nodiscard]] std::vector<ResembledWords> resembled_words(LanguageModel& model, const PrefixSlot& prefix, std::span<const std::int32_t> tokens,
                                                          std::int64_t count);

}  // namespace preamble
