// A backward pass that reads values computed again.
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "engine/compile/kept_forms.h"
#include "engine/graph/graph.h"

namespace preamble {

/// (node, output) of a value.
using ValueKey = std::pair<std::int32_t, std::int32_t>;
using ValueKeys = std::set<ValueKey>;

[[nodiscard]] inline ValueKey key_of(Value value) noexcept { return {value.node, value.output}; }

/// True if an op of the forward pass has computed the value.
[[nodiscard]] bool is_forward(const Graph& graph, Value value);

/// What a program keeps for its backward pass, and how it recomputes the rest.
struct Recomputation {
  ValueKeys kept;
  /// Recomputed values that live until their last reader. Empty: all of them do; else the others are made anew for each
  /// backward node that reads them, from these and the kept ones.
  ValueKeys lasting;
  /// Kept values that are packed in the meantime.
  KeptForms forms = {};
};

/// Copy of a differentiated graph whose backward nodes read kept values directly and all other forward values through copies of their
/// producers, made where they are needed. Nodes that no result needs are left out.
[[nodiscard]] Graph recompute(const Graph& graph, const Recomputation& choice);

}  // namespace preamble
