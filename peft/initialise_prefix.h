// Where the keys and values of a prefix start.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "models/language_model.h"
#include "peft/prefix_tuning.h"

namespace preamble {

enum class PrefixInitKind : std::uint8_t {
  random,   ///< N(0, deviation²)
  zero,     ///< all zero: each row still takes its share of the softmax
  text,     ///< what the frozen model computes for real words (Li and Liang 2021, section 7.4): see `word_activations`
  adapter,  ///< the rows of another prefix, layer by layer; what it does not have as random
};

/// `random`, `zero`, `text`, `adapter`. Throws ConfigError that lists them.
[[nodiscard]] PrefixInitKind prefix_init_of(std::string_view name);

struct PrefixInit {
  PrefixInitKind kind = PrefixInitKind::random;
  std::int64_t tokens = 20;
  double deviation = 0.02;  ///< PEFT: 1, far above what a model computes; P-tuning v2: 0.02
  std::uint64_t seed = 0;
  std::vector<std::int32_t> text = {};       ///< text: ids, repeated where they are fewer than the tokens
  const SitePrefixTable* adapter = nullptr;  ///< adapter: the same site of another prefix
};

/// Keys and values of the layers of one site, one after another: tensors [tokens, H·d].
struct SiteActivations {
  std::vector<Tensor> keys, values;
};

/// Keys and values that the plain model computes at each site for a text of exactly `tokens` ids (repeated or cut). Encoder and
/// cross-attention see the text as source. The decoder gets the same text as target; the row of its start token is left out. A
/// decoder-only model reads the text alone. Throws ConfigError for an empty text, UnsupportedError for a model of another family.
[[nodiscard]] std::map<Site, SiteActivations> word_activations(LanguageModel& model, const std::vector<std::int32_t>& text,
                                                               std::int64_t tokens);

/// A table of `pairs` pairs for a site of the model, in packed rows. A pair that several layers read starts as the first of
/// them says, and one that none reads as the layer of its own number. Throws ConfigError, ShapeError.
[[nodiscard]] SitePrefixTable initial_prefix(const PrefixInit& init, LanguageModel& model, Site site, std::int64_t pairs,
                                             const std::map<std::int64_t, std::int64_t>& pair_of_layer);

}  // namespace preamble
