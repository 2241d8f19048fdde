// How T5's layers attend: what training and generation share.
#pragma once

#include "engine/ops/attention.h"
#include "models/building.h"
#include "models/t5/config.h"

namespace preamble {

[[nodiscard]] inline AttentionOptions attention_options(const T5Config& config, bool bidirectional, const Conditioning& conditioning) {
  AttentionOptions options;
  options.heads = options.kv_heads = static_cast<int>(config.num_heads);
  options.scale = 1;  // T5 has its scale in the initialisation of q
  options.relative = {bidirectional, static_cast<int>(config.relative_attention_max_distance)};
  options.prefix_has_positions = conditioning.prefix_has_relative_positions;
  return options;
}

}  // namespace preamble
