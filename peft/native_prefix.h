// Prefixes that PEFT has no file for: preamble.json and prefix.safetensors.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "models/heads/head.h"
#include "peft/peft_config.h"
#include "peft/prefix_tuning.h"

namespace preamble {

/// Layers, heads and their size at a site of a model.
using SiteShapes = std::function<AttentionShape(Site)>;

/// A prefix of any sites and layers.
///
/// preamble.json: `{"format": 1, "method": "prefix", "sites": ["encoder_self", "decoder_self", "cross"],
/// "positions": "shifted" | "unshifted", "layers": {"encoder_self": [0, 2]}, "placement": "prefix" | "infix",
/// "pooler": "auto" | "frozen" | "trained" | "none"}`; a site that `layers` does
/// not name has all layers; an infix has the site decoder_self alone.
/// prefix.safetensors: `SITE.key` and `SITE.value` [layers, H, P, d] for each site; the head, if there is one, as in PEFT's files:
/// `base_model.classifier.weight`. Without sites it is a head alone: a linear probe.
struct NativePrefix {
  PrefixSlot slot;
  bool shifted = false;
  HeadTensors head = {};  ///< of an encoder
  Placement placement = Placement::prefix;
  Pooler pooler = Pooler::automatic;  ///< of the head

  static constexpr const char* kDescription = "preamble.json";
  static constexpr const char* kTensors = "prefix.safetensors";

  /// Whether a folder holds one.
  [[nodiscard]] static bool is_in(const std::filesystem::path& folder);

  /// `trainable`: weights of reparametrisations, `SITE.embedding.weight`, `SITE.transform.0.weight`, ...; sites that it has none
  /// for are trained directly. Throws FileError for a damaged folder or one that does not fit the model; warns of values
  /// that are not finite.
  [[nodiscard]] static NativePrefix read(const std::filesystem::path& folder, const SiteShapes& shapes,
                                         const std::optional<std::filesystem::path>& trainable = {}, const Warn& warn = {});

  /// Writes both files, the head included, reparametrisations folded; each is replaced atomically, the tensors first.
  void write(const std::filesystem::path& folder) const;
};

}  // namespace preamble
