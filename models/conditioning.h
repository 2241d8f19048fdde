// The only thing a model knows of prompt methods: rows in front of its sequences, and keys and values in front of its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "engine/core/rows.h"
#include "engine/graph/graph.h"

namespace preamble {

/// Where a stack of layers attends.
enum class Site : std::uint8_t { encoder_self, decoder_self, cross };

/// A row space whose segments are slots: which rows of a table belong to which prompt or prefix.
struct SlotSpace {
  std::string name;
  Segments slots;

  /// Rows of the longest slot.
  [[nodiscard]] std::int64_t longest() const {
    std::int32_t rows = 0;
    for (std::int32_t slot = 0; slot < slots.count(); ++slot) rows = std::max(rows, slots.length(slot));
    return rows;
  }
};

/// Rows in front of each sequence: [rows(space), D].
struct PromptRows {
  Value rows;
  SlotSpace space;
};

/// Keys and values in front of a layer's own. Both are [rows(space), H·d] of the site's space.
struct PrefixRows {
  Value key;
  Value value;
};

/// All prefixes of one site. Layers that are absent have none.
struct SitePrefix {
  std::map<std::int64_t, PrefixRows> layers;
  SlotSpace space;
  /// Rows of layers that some slots have no prefix on, where these slots are empty.
  std::map<std::int64_t, SlotSpace> partial = {};

  [[nodiscard]] const SlotSpace& space_of(std::int64_t layer) const {
    const auto found = partial.find(layer);
    return found == partial.end() ? space : found->second;
  }
};

/// Where virtual rows stand.
enum class Placement : std::uint8_t {
  prefix,  ///< in front of a sequence
  /// Between source and target (Li and Liang 2021, infix-tuning): in front of the token that predicts the first label, which is the
  /// last one of their separator. Tokens in front of an infix do not see it. Decoder-only models alone.
  infix
};

/// Rates of dropout in a training graph. The masks of rows that several sequences share, such as a prompt's in a decoder-only model,
/// are shared as well.
struct DropoutRates {
  double hidden = 0;     ///< of embeddings, of what each sublayer adds, in front of heads (`dropped`)
  double attention = 0;  ///< of attention probabilities (`dropped_attention`)
  double prefix = 0;     ///< of the keys and values of prefixes (`drop_prefixes`)
};

/// How a frozen model is conditioned. Everything absent: the plain model. The values belong to one graph; the slot spaces
/// describe every graph made by the same method.
struct Conditioning {
  std::optional<PromptRows> prompt;  ///< in front of the encoder's input (encoder-decoder), or of the only input
  std::map<Site, SitePrefix> prefixes;
  /// Of the prompt, or of the prefix of the decoder's self-attention.
  Placement placement = Placement::prefix;
  /// Absolute positions of the tokens begin behind the prefix (PEFT, Li and Liang's GPT-2); false: as in the plain model
  /// (Li and Liang's BART).
  bool prefix_shifts_positions = false;
  /// Relative position biases see a prefix of n rows at -n .. -1 (PEFT's T5); false: its keys get no bias.
  bool prefix_has_relative_positions = false;
  DropoutRates dropout = {};

  /// Slots of the rows that stand between source and target; null without an infix.
  [[nodiscard]] const SlotSpace* infix() const {
    if (placement != Placement::infix) return nullptr;
    if (prompt) return &prompt->space;
    const auto found = prefixes.find(Site::decoder_self);
    return found == prefixes.end() ? nullptr : &found->second.space;
  }
  [[nodiscard]] const PrefixRows* prefix(Site site, std::int64_t layer) const {
    const auto found = prefixes.find(site);
    if (found == prefixes.end()) return nullptr;
    const auto rows = found->second.layers.find(layer);
    return rows == found->second.layers.end() ? nullptr : &rows->second;
  }
  /// Absolute position of the first token of a sequence that uses `slot`.
  [[nodiscard]] std::int32_t first_position(Site site, std::int32_t slot) const {
    const auto found = prefixes.find(site);
    return placement == Placement::prefix && prefix_shifts_positions && found != prefixes.end() ? found->second.space.slots.length(slot)
                                                                                                : 0;
  }
};

/// Conditions a graph: `Method::condition`, as a function.
using Conditioner = std::function<Conditioning(Graph&)>;

}  // namespace preamble
