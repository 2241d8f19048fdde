// Which values are columns of a wider one, where nothing has to be copied to take it apart or to put it together.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "engine/backend/backend.h"
#include "engine/graph/graph.h"

namespace preamble {

/// A value [rows, d] that lies in columns [first, first + d) of a wider one, [rows, stride].
struct ColumnView {
  std::int32_t node = -1;  ///< that makes the wider value
  std::int32_t output = 0;
  std::int64_t first = 0;
  std::int64_t stride = 0;
};

/// By node and output. Values that are not here have memory of their own.
using ColumnViews = std::map<std::pair<std::int32_t, std::int32_t>, ColumnView>;

/// First columns and rows of views begin at multiples of so many bytes.
inline constexpr std::int64_t kColumnAlignment = 16;

/// The parts of a `split_columns` lie in its operand if the backend reads them there (`Backend::reads_columns`) and if they die together: the
/// wider value lives as long as its last part. The parts of a `join_columns` are made in its result if the backend writes them there
/// (`Backend::writes_columns`) and one node makes them all: the wider value begins with its first part. Both have nothing left to do then.
/// Values with rows alone; results of the graph are no parts.
[[nodiscard]] ColumnViews column_views(const Graph& graph, const Backend& backend);

}  // namespace preamble
