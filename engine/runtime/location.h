// Where a value of a program lies.
#pragma once

#include <cstdint>

namespace preamble {

/// The memory of a value: a part of the arena, or the memory of a leaf.
struct Location {
  std::int32_t node = -1;  ///< -1: an absent operand
  std::int32_t output = 0;
  std::int64_t offset = -1;  ///< in the arena; -1: leaf memory, or nowhere if nobody reads it
  std::int32_t leaf = -1;    ///< node of the leaf whose memory it is
  std::int64_t stride = 0;   ///< elements from one row to the next in a wider value; 0: rows follow each other (`column_views`)
};

}  // namespace preamble
