// config.json of a DeBERTa folder, version 2 or 3.
#pragma once

#include <cstdint>
#include <string>

#include "data/json_file.h"
#include "engine/ops/disentangled_position.h"
#include "models/encoder_sizes.h"

namespace preamble {

/// Shape and constants of a DeBERTa v2 or v3 (He et al. 2021; He et al. 2023). The defaults are deberta-v3-base.
struct DebertaConfig : EncoderSizes {
  DebertaConfig() {
    vocab_size = 128100;
    type_vocab_size = 0;
    layer_norm_eps = 1e-7;
  }

  bool position_biased_input = false;  ///< absolute positions are added to the input
  ActivationKind pooler_activation = ActivationKind::gelu;

  bool content_to_position = true, position_to_content = true;  ///< terms of the scores
  bool relative_attention = true;                               ///< false: the terms count for the scale alone
  bool share_att_key = true;                                    ///< position tables go through the projections of queries and keys
  bool norm_distances = true;                                   ///< position embeddings are normalised
  DisentangledPositions distances{.buckets = 256, .max_distance = 512};

  /// Rows of the table of relative positions; 0: there is none.
  [[nodiscard]] std::int64_t distance_rows() const noexcept { return relative_attention ? 2 * std::int64_t{distances.span()} : 0; }
  /// 1 / √(d (1 + number of terms))
  [[nodiscard]] double scale() const noexcept;

  /// Throws FileError for missing or senseless fields, UnsupportedError for convolutions.
  [[nodiscard]] static DebertaConfig read(const JsonFile& json);
  /// deberta-v3-base or deberta-v3-large. Throws ConfigError for another name.
  [[nodiscard]] static DebertaConfig published(const std::string& name);
};

}  // namespace preamble
