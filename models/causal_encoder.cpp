#include "models/causal_encoder.h"

#include <string>
#include <utility>

#include "engine/core/error.h"

namespace preamble {

CausalEncoder::CausalEncoder(std::unique_ptr<CausalStack> model) : model_(std::move(model)) {}

Value CausalEncoder::encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  return model_->encode(graph, conditioning, capacity);
}

Value CausalEncoder::mlm_logits(Graph&, Value, std::span<const std::int32_t>) {
  raise<UnsupportedError>("MASKED_LM: a decoder-only model was given, whose head predicts the next token; wanted an encoder, or no task");
}

HeadLayer CausalEncoder::pooler() const {
  raise<ConfigError>("head: a decoder-only model has no pooler; wanted none");
}

std::vector<HeadLayer> CausalEncoder::sequence_head() const {
  // transformers drops nothing in front of it
  return {{.name = "score", .checkpoint = "score", .dropped = false, .has_bias = false}};
}

HeadLayer CausalEncoder::token_head() const {
  const std::string name(model_->token_head_name());
  return {.name = name, .checkpoint = name};
}

}  // namespace preamble
