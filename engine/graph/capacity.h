// Values at full capacity.
#pragma once

#include "engine/graph/graph.h"

namespace preamble {

/// Dimensions of a tensor that holds a value of the graph at full capacity: with the row axis in front, if there is one.
[[nodiscard]] inline Dims capacity_dims(const Graph& graph, const Type& type) {
  Dims dims = type.dims;
  if (type.has_rows()) dims.insert(dims.begin(), graph.rows(type.rows).rows);
  return dims;
}

}  // namespace preamble
