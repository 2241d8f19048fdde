// Prefix-tuning (Li and Liang 2021; P-tuning v2, Liu et al. 2022): trained keys and values in front of those of a layer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/language_model.h"
#include "peft/method.h"
#include "peft/prompt_encoder.h"

namespace preamble {

/// `encoder_self`, `decoder_self`, `cross`
[[nodiscard]] std::string_view name_of(Site site) noexcept;
/// The site of that name. Throws ConfigError that lists them.
[[nodiscard]] Site site_of(std::string_view name);

/// Keys and values of some layers, one pair each, as one matrix: column ((2·pair + kv)·H + head)·d + dim, kv 0 for keys.
/// That is PEFT's `prompt_embeddings` of a prefix.
struct PackedRows {
  Tensor rows;  ///< [P, pairs·2·H·d]
};

/// The same as two tensors, as native prefix files hold them.
struct KeysAndValues {
  Tensor key, value;  ///< [pairs, H, P, d]
};

/// The prefix of one site: its numbers, or what computes them, and which layer reads which pair of them.
struct SitePrefixTable {
  std::variant<PackedRows, KeysAndValues, PromptEncoder> source;
  std::int64_t heads = 0, head_dim = 0;
  std::map<std::int64_t, std::int64_t> pair_of_layer;
  std::string names = {};  ///< in front of the names of its tensors: `encoder_self.`

  [[nodiscard]] std::int64_t tokens() const;
  [[nodiscard]] std::int64_t pairs() const;
  /// The numbers as one matrix, or as keys and values: computed or copied.
  [[nodiscard]] PackedRows packed() const;
  [[nodiscard]] KeysAndValues unpacked() const;
};

/// Everything that one slot adds.
using PrefixSlot = std::map<Site, SitePrefixTable>;

/// What holds for all slots of a program: see `Conditioning`.
struct PrefixPositions {
  bool shifted = false;
  bool relative = false;
  Placement placement = Placement::prefix;

  bool operator==(const PrefixPositions&) const = default;
};

/// PEFT's rule for encoder-decoders with two submodules: the stored layers are read as if they were pairs for
/// self-attention and cross-attention in turn, twice over, so that decoder layer i reads pair 2i mod L.
[[nodiscard]] std::map<std::int64_t, std::int64_t> pairs_of_layers(std::int64_t layers, std::int64_t submodules);

class PrefixTuning final : public Method {
 public:
  /// Slot i of a program is slots[i]. Slots may condition different layers, but for infixes; a slot may leave the site
  /// out. Throws ShapeError for no slots, tensors that do not fit together, pairs that are not there.
  PrefixTuning(std::vector<PrefixSlot> slots, PrefixPositions positions);

  /// Prefix rows lie in row spaces of all slots, one for each site: they are never expanded to the batch.
  [[nodiscard]] Conditioning condition(Graph& graph) const override;
  [[nodiscard]] std::vector<Trainable> trainables() const override;
  [[nodiscard]] const std::vector<PrefixSlot>& slots() const noexcept { return slots_; }
  [[nodiscard]] PrefixPositions positions() const noexcept { return positions_; }

 private:
  void condition_site(Graph& graph, Site site, Conditioning& conditioning) const;
  /// Rows of the slots that have a prefix on a layer; the others are empty.
  [[nodiscard]] SlotSpace slots_with(Site site, std::int64_t layer) const;

  std::vector<PrefixSlot> slots_;
  PrefixPositions positions_;
};

}  // namespace preamble
