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

/// Behind fuse_sums, in each phase:
///   linear(linear_activation(x, w1, b1), w2, b2, r)          -> feed_forward
///   linear(activation_grad(kept, linear(dy, w2ᵀ)), w1ᵀ, r)   -> feed_forward_grad; from x, if what it would keep is made again for it
/// Only where nobody else reads the wide values in between, which then exist for a chunk of columns at a time. The gradient of a weight
/// reads them: fine-tuned layers stay as they are.
[[nodiscard]] Graph fuse_feed_forward(const Graph& graph);

/// Behind fuse_sums, of bf16 alone:
///   activation_grad(kept, linear(dy, wᵀ))  -> linear_slope, for gelu_tanh
/// Only where nobody else reads the product.
[[nodiscard]] Graph fuse_slopes(const Graph& graph);

}  // namespace preamble
