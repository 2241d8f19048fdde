// How BART's layers attend: what training and generation share.
#pragma once

#include <cmath>

#include "engine/ops/attention.h"
#include "models/bart/config.h"
#include "models/building.h"

namespace preamble {

[[nodiscard]] inline AttentionOptions attention_options(const BartConfig& config, const BartStack& stack, bool causal) {
  AttentionOptions options;
  options.heads = options.kv_heads = static_cast<int>(stack.heads);
  options.scale = 1 / std::sqrt(static_cast<double>(config.head_dim(stack)));
  options.causal = causal;
  return options;
}

}  // namespace preamble
