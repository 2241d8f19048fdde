// Rotary positions that depend on the length of a row's sequence: an input beside that of positions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/graph/graph.h"

namespace preamble {

/// Name of the input beside that of positions which has, for each row, how many positions its sequence has, those in front of the row's segment
/// included. `add_positions` fills it where a program has it.
[[nodiscard]] std::string counts_of(std::string_view positions);

/// Most positions of a sequence, its prompt included, where a graph computes the rows of prompts once for all sequences and would have to turn them
/// anew for longer ones; 0: any number.
[[nodiscard]] double longest_behind_prompt(const Graph& graph);
/// Throws UnsupportedError for a sequence of more than `longest` positions, unless that is 0.
void check_behind_prompt(std::int64_t positions, double longest);

}  // namespace preamble
