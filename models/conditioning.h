// The only thing a model knows of prompt methods: rows in front of its sequences, and keys and values in front of its own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engine/graph/graph.h"

namespace preamble {

/// Where a stack of layers attends.
enum class Site : std::uint8_t { encoder_self, decoder_self, cross };

/// Rows in front of each sequence. `rows` is [rows(space), D]; the space's segments are the slots.
struct PromptRows {
  Value rows;
  std::int64_t longest = 0;  ///< rows of the longest slot
};

/// Keys and values in front of a layer's own. Both are [rows(space), H·d]; the space's segments are the slots.
struct PrefixRows {
  Value key;
  Value value;
};

/// All prefixes of one site. Layers that are absent have none.
struct SitePrefix {
  std::map<std::int64_t, PrefixRows> layers;
  std::int64_t longest = 0;  ///< rows of the longest slot
};

/// How a frozen model is conditioned. Everything absent: the plain model.
struct Conditioning {
  std::optional<PromptRows> prompt;  ///< in front of the encoder's input (encoder-decoder), or of the only input
  std::map<Site, SitePrefix> prefixes;
  /// Absolute positions of the tokens begin behind the prefix (PEFT, Li and Liang's GPT-2); false: as in the plain model
  /// (Li and Liang's BART).
  bool prefix_shifts_positions = false;
  /// Relative position biases see a prefix of n rows at -n .. -1 (PEFT's T5); false: its keys get no bias.
  bool prefix_has_relative_positions = false;

  [[nodiscard]] const PrefixRows* prefix(Site site, std::int64_t layer) const {
    const auto found = prefixes.find(site);
    if (found == prefixes.end()) return nullptr;
    const auto rows = found->second.layers.find(layer);
    return rows == found->second.layers.end() ? nullptr : &rows->second;
  }
};

}  // namespace preamble
