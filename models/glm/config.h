// config.json of a GLM folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/json_file.h"
#include "engine/ops/activation.h"

namespace preamble {

/// Shape and constants of a GLM (Du et al. 2022); not of the later model of that name in transformers, which has rotary positions.
struct GlmConfig {
  std::int64_t vocab_size = 30592;
  std::int64_t hidden_size = 1024;
  std::int64_t num_layers = 24;
  std::int64_t num_attention_heads = 16;
  std::int64_t max_sequence_length = 512;  ///< both position tables have a row more
  bool block_position_encoding = true;     ///< false: one table of max_sequence_length rows
  /// Erf, as the published code for transformers computes, unless `hidden_act` names another. The released weights were trained with the
  /// tanh form.
  ActivationKind activation = ActivationKind::gelu;
  double layernorm_epsilon = 1e-5;
  std::string pool_token = "cls";  ///< which row a head of a sequence reads: cls, start or pad

  [[nodiscard]] std::int64_t head_dim() const noexcept { return hidden_size / num_attention_heads; }
  /// Rows of the first table.
  [[nodiscard]] std::int64_t positions() const noexcept { return max_sequence_length + (block_position_encoding ? 1 : 0); }

  /// Throws FileError for missing or senseless fields, UnsupportedError for the later model.
  [[nodiscard]] static GlmConfig read(const JsonFile& json);
  /// Throws ConfigError for a name that is not among `published_names`.
  [[nodiscard]] static GlmConfig published(const std::string& name);
  /// P-tuning v2 calls glm-2b GLM-xlarge.
  [[nodiscard]] static std::vector<std::string> published_names();
};

}  // namespace preamble
