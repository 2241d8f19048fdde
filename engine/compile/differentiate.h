// Reverse-mode differentiation as graph construction.
#pragma once

#include <string>
#include <string_view>

#include "engine/graph/graph.h"

namespace preamble {

/// Appends the gradient of the scalar result `loss` and marks, for every trainable leaf that the loss depends on, the
/// result `grad.<leaf>`. A node gets gradient nodes only if it depends on a trainable leaf and the loss depends on it
/// (two-sided reachability): everything below the lowest prompt stays plain inference. Where a value has several users
/// their gradients are summed by explicit `add` nodes, as they appear.
/// Throws ShapeError if `loss` is not a scalar, ConfigError if it depends on no trainable leaf.
///
/// With `accumulate` the gradients of several runs are added up: each goes, as soon as it is complete, into a state leaf `sum.<leaf>` of
/// its own, whose memory is the result `grad.<leaf>`; so does the loss, in F64, whose sum is the result `sum.<loss>`. The input
/// `kFirstPart` (i32, not 0 in the first run of a sum) empties them.
void differentiate(Graph& graph, std::string_view loss, bool accumulate = false);

/// Name of the input of a program that accumulates.
inline constexpr std::string_view kFirstPart = "first_part";
/// Name of the sum of a result over the runs of a program that accumulates: `sum.loss`.
[[nodiscard]] std::string sum_name(std::string_view result);

}  // namespace preamble
