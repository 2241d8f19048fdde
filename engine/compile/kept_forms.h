// Which kept values may be kept in fewer bytes.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "engine/graph/graph.h"
#include "engine/ops/kept_form.h"

namespace preamble {

/// Forms of values by (node, output); others are kept as they are.
using KeptForms = std::map<std::pair<std::int32_t, std::int32_t>, KeptForm>;

/// The forms of the values that `kept` names where activations may be reduced to `form`: rows of numbers that a forward node has made, at
/// least 32 of them a row. Statistics (the log-sum-exp of an attention) and what is no number (masks) are not among them, nor are queries and
/// keys of an attention whose log-sum-exp is kept: the probabilities are made of all three. With `int8`,
/// arguments of activations, which the backward pass reads for the slope alone, are kept as int8 and others in bf16. In a graph of bf16
/// activations no value is rounded to bf16 again.
[[nodiscard]] KeptForms reduced_forms(const Graph& graph, const std::set<std::pair<std::int32_t, std::int32_t>>& kept, KeptForm form);

}  // namespace preamble
