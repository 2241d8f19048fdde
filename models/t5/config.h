// config.json of a T5 folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "data/json_file.h"
#include "engine/ops/activation.h"

namespace preamble {

/// Shape and constants of a T5 v1.0 or v1.1 (Raffel et al. 2020; the v1.1 changes: Shazeer 2020), an mT5 (Xue et al. 2021), which is a v1.1
/// of another vocabulary, or a UMT5 (Chung et al. 2023), whose layers have a table of relative positions each.
struct T5Config {
  std::int64_t vocab_size = 32128;
  std::int64_t d_model = 512;
  std::int64_t d_kv = 64;
  std::int64_t d_ff = 2048;
  std::int64_t num_layers = 6;
  std::int64_t num_decoder_layers = 6;
  std::int64_t num_heads = 8;
  std::int64_t relative_attention_num_buckets = 32;
  std::int64_t relative_attention_max_distance = 128;
  double layer_norm_epsilon = 1e-6;
  ActivationKind activation = ActivationKind::relu;
  bool gated = false;
  /// Each layer of a stack has its own table of relative positions (UMT5); false: the first layer's serves all.
  bool own_bias_tables = false;
  /// Multiply the decoder's output by d_model^-0.5 in front of the head (v1.0).
  bool scale_decoder_outputs = true;
  std::int64_t pad_token_id = 0;
  std::int64_t eos_token_id = 1;
  std::int64_t decoder_start_token_id = 0;

  [[nodiscard]] std::int64_t inner() const noexcept { return num_heads * d_kv; }

  /// Reads config.json of t5, mt5 and umt5 as transformers 4 and 5 write it. `scale_decoder_outputs` where the file has it; else the output
  /// is scaled unless `tie_word_embeddings` is false, and never in an mT5. Throws FileError for missing or senseless fields.
  [[nodiscard]] static T5Config read(const JsonFile& json);
  /// Published shapes: `t5-small`, `t5-base`, `t5-large`, `t5-xl`, `t5-xxl` (v1.1), the same of mT5, and of UMT5 without a large one.
  /// Throws ConfigError for another name.
  [[nodiscard]] static T5Config published(const std::string& name);
};

}  // namespace preamble
