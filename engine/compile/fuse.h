// Merging neighbouring ops into one pass over memory.
#pragma once

#include "engine/graph/graph.h"

namespace preamble {

/// Before differentiation:
///   cross_entropy(linear(x, w, b), ...)   -> linear_cross_entropy: logits never exist as a whole
///   multiply(activation(a), b)            -> gated: activation(a) is not kept
///   activation(linear(x, w, b))           -> linear with an activation in its epilogue
/// Only where nobody else reads the value in between. No value changes but by rounding.
[[nodiscard]] Graph fuse_forward(const Graph& graph);

/// After differentiation and rematerialisation:
///   norm(add(x, r))              -> norm with a residual, which writes the sum as well
///   add(s, norm_grad(x, g, dy))  -> norm_grad with s added
///   add(s, linear(x, w))         -> linear that adds to s in place, where s dies
[[nodiscard]] Graph fuse_sums(const Graph& graph);

}  // namespace preamble
