// config.json of a DeBERTa folder, version 2 or 3.
#pragma once

#include <cstdint>
#include <string>

#include "data/json_file.h"
#include "engine/ops/activation.h"
#include "engine/ops/disentangled_position.h"

namespace preamble {

/// Shape and constants of a DeBERTa v2 or v3 (He et al. 2021; He et al. 2023). The defaults are deberta-v3-base.
struct DebertaConfig {
  std::int64_t vocab_size = 128100;
  std::int64_t hidden_size = 768;
  std::int64_t embedding_size = 768;  ///< of tokens; projected to hidden_size if it differs
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  std::int64_t max_position_embeddings = 512;
  bool position_biased_input = false;  ///< absolute positions are added to the input
  std::int64_t type_vocab_size = 0;
  ActivationKind activation = ActivationKind::gelu;
  ActivationKind pooler_activation = ActivationKind::gelu;
  double layer_norm_eps = 1e-7;
  std::int64_t pad_token_id = 0;

  bool content_to_position = true, position_to_content = true;  ///< terms of the scores
  bool relative_attention = true;                               ///< false: the terms count for the scale alone
  bool share_att_key = true;                                    ///< position tables go through the projections of queries and keys
  bool norm_distances = true;                                   ///< position embeddings are normalised
  DisentangledPositions distances{.buckets = 256, .max_distance = 512};

  [[nodiscard]] std::int64_t head_dim() const noexcept { return hidden_size / num_attention_heads; }
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
