// config.json of a Llama folder and of those whose models are variants of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/json_file.h"
#include "engine/ops/activation.h"
#include "models/rotary_config.h"

namespace preamble {

/// Shape and constants of a Llama (Touvron et al. 2023) and its variants: Llama 2 and 3, SmolLM2, TinyLlama, Mistral (Jiang et al. 2023),
/// Qwen2 and Qwen3 (Yang et al. 2024, 2025), Gemma (Gemma Team 2024).
struct LlamaConfig {
  std::int64_t vocab_size = 32000;
  std::int64_t hidden_size = 4096;
  std::int64_t intermediate_size = 11008;
  std::int64_t num_hidden_layers = 32;
  std::int64_t num_attention_heads = 32;
  std::int64_t num_key_value_heads = 32;
  std::int64_t head_dim = 128;
  double rms_norm_eps = 1e-6;
  ActivationKind activation = ActivationKind::silu;
  RotaryConfig rotary;
  std::int64_t pad_token_id = -1;  ///< -1: none
  bool query_bias = false;         ///< of the maps of q, k and v
  bool output_bias = false;        ///< of the map behind the attention
  bool mlp_bias = false;
  bool head_norms = false;         ///< Qwen3: norms of each head of q and k
  bool gemma = false;              ///< norms multiply by 1 + w, rows of tokens by the root of the width
  bool tied = false;               ///< where no checkpoint says it: the head is the embedding
  std::vector<int> windows = {};   ///< of each layer, 0: none; empty: no layer has one

  /// Reads config.json of model_type llama, mistral, qwen2, qwen3 and gemma as transformers 4 and 5 write it. Throws FileError for missing or
  /// senseless fields, UnsupportedError for what no such model has.
  [[nodiscard]] static LlamaConfig read(const JsonFile& json);
  /// One of `published_names()`. Throws ConfigError for another name.
  [[nodiscard]] static LlamaConfig published(const std::string& name);
  /// Published shapes of a model_type: `smollm2-135m`, `llama-3.2-1b`, `qwen3-0.6b`, ...
  [[nodiscard]] static std::vector<std::string> published_names(const std::string& model_type);
};

}  // namespace preamble
