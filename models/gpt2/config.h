// config.json of a GPT-2 folder.
#pragma once

#include <cstdint>
#include <string>

#include "data/json_file.h"
#include "engine/ops/activation.h"
#include "engine/ops/linear.h"

namespace preamble {

/// Shape and constants of a GPT-2 (Radford et al. 2019).
struct Gpt2Config {
  std::int64_t vocab_size = 50257;
  std::int64_t n_positions = 1024;
  std::int64_t n_embd = 768;
  std::int64_t n_layer = 12;
  std::int64_t n_head = 12;
  std::int64_t n_inner = 3072;  ///< four times n_embd where the file has none
  double layer_norm_epsilon = 1e-5;
  ActivationKind activation = ActivationKind::gelu_tanh;
  /// How the checkpoint's maps lie: [in, out] in transformers, [out, in] in the files of llama.cpp (`map_layout`).
  WeightLayout map_layout = WeightLayout::in_out;
  bool scale_attn_weights = true;                ///< scores are divided by the root of the head's width
  bool scale_attn_by_inverse_layer_idx = false;  ///< and by the number of the layer, from 1
  bool tied = true;                              ///< the head is the embedding, where no checkpoint says it

  [[nodiscard]] std::int64_t head_dim() const noexcept { return n_embd / n_head; }

  /// Throws FileError for missing or senseless fields, UnsupportedError for cross-attention.
  [[nodiscard]] static Gpt2Config read(const JsonFile& json);
  /// `gpt2`, `gpt2-medium`, `gpt2-large` or `gpt2-xl`. Throws ConfigError for other names.
  [[nodiscard]] static Gpt2Config published(const std::string& name);
};

}  // namespace preamble
