// config.json of a BERT or RoBERTa folder.
#pragma once

#include <cstdint>
#include <string>

#include "data/json_file.h"
#include "engine/ops/activation.h"

namespace preamble {

/// Shape and constants of a BERT (Devlin et al. 2019) or a RoBERTa (Liu et al. 2019). The defaults are bert-base-uncased.
struct BertConfig {
  bool roberta = false;  ///< names, heads and position offset of RoBERTa
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  std::int64_t max_position_embeddings = 512;  ///< rows of the table, those in front of position 0 included
  std::int64_t type_vocab_size = 2;
  ActivationKind activation = ActivationKind::gelu;
  double layer_norm_eps = 1e-12;
  std::int64_t pad_token_id = 0;

  [[nodiscard]] std::int64_t head_dim() const noexcept { return hidden_size / num_attention_heads; }
  /// Rows of the position table in front of position 0.
  [[nodiscard]] std::int64_t position_offset() const noexcept { return roberta ? pad_token_id + 1 : 0; }

  /// Throws FileError for missing or senseless fields, UnsupportedError for decoders and relative positions.
  [[nodiscard]] static BertConfig read(const JsonFile& json);
  /// bert-base, bert-large, roberta-base or roberta-large. Throws ConfigError for another name.
  [[nodiscard]] static BertConfig published(const std::string& name);
};

}  // namespace preamble
