#include "models/encoder_sizes.h"

#include "engine/core/error.h"
#include "models/config_fields.h"

namespace preamble {

void read_encoder_sizes(const JsonFile& json, const EncoderFields& fields, EncoderSizes& shape) {
  shape.vocab_size = positive_field(json, "vocab_size", shape.vocab_size);
  shape.hidden_size = shape.embedding_size = positive_field(json, fields.hidden_size, shape.hidden_size);
  shape.num_hidden_layers = positive_field(json, fields.layers, shape.num_hidden_layers);
  shape.num_attention_heads = positive_field(json, fields.heads, shape.num_attention_heads);
  shape.intermediate_size = positive_field(json, fields.intermediate_size, shape.intermediate_size);
  shape.max_position_embeddings = positive_field(json, "max_position_embeddings", shape.max_position_embeddings);
  if (const auto activation = json.find<std::string>(fields.activation)) shape.activation = activation_named(json, *activation);
  shape.layer_norm_eps = epsilon_field(json, "layer_norm_eps", shape.layer_norm_eps);
  shape.pad_token_id = token_field(json, "pad_token_id", shape.pad_token_id, shape.vocab_size);
  require_multiple(json, fields.hidden_size, shape.hidden_size, fields.heads, shape.num_attention_heads);
}

}  // namespace preamble
