// Sizes that encoders of BERT's kind share, and how config.json says them.
#pragma once

#include <cstdint>
#include <string_view>

#include "data/json_file.h"
#include "engine/ops/activation.h"

namespace preamble {

/// Shape of an encoder whose layers are BERT's. The defaults are bert-base-uncased.
struct EncoderSizes {
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;
  std::int64_t embedding_size = 768;  ///< of tokens, positions and types; projected to hidden_size where it differs
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  std::int64_t max_position_embeddings = 512;  ///< rows of the table, those in front of position 0 included
  std::int64_t type_vocab_size = 2;            ///< 0: the model has no token types
  ActivationKind activation = ActivationKind::gelu;
  double layer_norm_eps = 1e-12;
  std::int64_t pad_token_id = 0;

  [[nodiscard]] std::int64_t head_dim() const noexcept { return hidden_size / num_attention_heads; }
};

/// What a family calls the fields of its config.json.
struct EncoderFields {
  std::string_view hidden_size = "hidden_size";
  std::string_view layers = "num_hidden_layers";
  std::string_view heads = "num_attention_heads";
  std::string_view intermediate_size = "intermediate_size";
  std::string_view activation = "hidden_act";
};

/// Reads what all families have; absent fields keep their values. `embedding_size` becomes hidden_size. Throws FileError for senseless
/// fields, UnsupportedError for an unknown activation.
void read_encoder_sizes(const JsonFile& json, const EncoderFields& fields, EncoderSizes& shape);

}  // namespace preamble
