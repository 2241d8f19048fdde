// config.json of a GPT-NeoX folder.
#pragma once

#include <cstdint>

#include "data/json_file.h"
#include "engine/ops/activation.h"
#include "models/rotary_config.h"

namespace preamble {

/// Shape and constants of a GPT-NeoX (Black et al. 2022) or Pythia (Biderman et al. 2023).
struct GptNeoxConfig {
  std::int64_t vocab_size = 50432;
  std::int64_t hidden_size = 6144;
  std::int64_t intermediate_size = 24576;
  std::int64_t num_hidden_layers = 44;
  std::int64_t num_attention_heads = 64;
  double layer_norm_eps = 1e-5;
  ActivationKind activation = ActivationKind::gelu;
  RotaryConfig rotary;
  bool parallel_residual = true;  ///< attention and feed-forward of a layer read one x
  bool attention_bias = true;
  bool tied = false;

  [[nodiscard]] std::int64_t head_dim() const noexcept { return hidden_size / num_attention_heads; }

  /// Reads config.json as transformers 4 and 5 write it. Throws FileError for missing or senseless fields.
  [[nodiscard]] static GptNeoxConfig read(const JsonFile& json);
};

}  // namespace preamble
