// What a decoding step reads to find the past of its rows.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/graph/graph.h"
#include "models/conditioning.h"

namespace preamble {

/// Inputs of the step graphs of all models; the graphs that read a prompt have the first one, too.
namespace step_inputs {
inline constexpr std::string_view kCacheRow = "cache_row";  ///< i32 [rows]: cache row that keeps the row's key and value
inline constexpr std::string_view kHistory = "history";     ///< i32 [rows, longest]: cache rows of each row's past
inline constexpr std::string_view kLengths = "lengths";     ///< i32 [rows]: how many of them, the new one included
inline constexpr std::string_view kRowSlots = "row_slots";  ///< i32 [rows]: prefix slot of each row
}  // namespace step_inputs

struct StepInputs {
  Value table, lengths;  ///< operands of `cached_attention`
  Value cache_row;       ///< rows of the caches that `append_rows` writes
  Value slots = {};      ///< undefined where the decoder's self-attention has no prefix

  /// Declares the inputs for rows with at most `longest` cache rows of history.
  [[nodiscard]] static StepInputs declare(Graph& graph, RowSpaceId rows, std::int64_t longest, const Conditioning& conditioning);
};

}  // namespace preamble
