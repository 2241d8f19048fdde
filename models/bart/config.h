// config.json of a BART folder.
#pragma once

#include <cstdint>
#include <string>

#include "data/json_file.h"
#include "engine/ops/activation.h"

namespace preamble {

/// Size of one of BART's two stacks.
struct BartStack {
  std::int64_t layers = 12;
  std::int64_t heads = 16;
  std::int64_t ffn_dim = 4096;
};

/// Shape and constants of a BART (Lewis et al. 2020). The defaults are bart-large.
struct BartConfig {
  /// Rows of the position tables in front of position 0.
  static constexpr std::int64_t kPositionOffset = 2;
  static constexpr double kLayerNormEpsilon = 1e-5;

  std::int64_t vocab_size = 50265;
  std::int64_t d_model = 1024;
  std::int64_t max_position_embeddings = 1024;
  BartStack encoder;
  BartStack decoder;
  ActivationKind activation = ActivationKind::gelu;
  bool scale_embedding = false;  ///< token rows (not prompts) are multiplied by the root of d_model
  std::int64_t pad_token_id = 1;
  std::int64_t decoder_start_token_id = 2;

  [[nodiscard]] std::int64_t head_dim(const BartStack& stack) const noexcept { return d_model / stack.heads; }

  /// Throws FileError for missing or senseless fields, UnsupportedError for the variants of early configs that no published BART uses.
  [[nodiscard]] static BartConfig read(const JsonFile& json);
  /// `bart-base` or `bart-large`. Throws ConfigError for other names.
  [[nodiscard]] static BartConfig published(const std::string& name);
};

}  // namespace preamble
