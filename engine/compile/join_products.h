// Products of the same rows by several frozen matrices, as one product.
#pragma once

#include "engine/backend/backend.h"
#include "engine/graph/graph.h"

namespace preamble {

/// Before differentiation, of bf16 alone:
///   f(linear(x, w1), linear(x, w2), ...)  -> f(split_columns(joined_linear(x, w1, w2, ...)))
/// where nobody but f reads the products, and where f reads them as columns of one value (`Backend::reads_columns`), so that nothing is copied:
/// queries, keys and values, keys and values of a cross-attention, both sides of a gate. One product fills a GPU better than several, and the
/// gradient of x is one product as well, whose sum is rounded once.
[[nodiscard]] Graph join_products(const Graph& graph, const Backend& backend);

}  // namespace preamble
