// What an attention's gradient reads instead of making it again.
#pragma once

#include "engine/graph/graph.h"

namespace preamble {

/// Each `attention_grad` that would make Σ P ∘ dP of each row over all of its keys gets o as an operand: Σ dO ∘ O is the same number, and costs a
/// read of two rows in place of two products with all keys and values. o is kept for it. Not where there are biases by position: of T5's layers
/// more is kept than of others, and o besides is more than the time is worth. After differentiation; exact but for rounding.
[[nodiscard]] Graph keep_attention_outputs(const Graph& graph);

}  // namespace preamble
