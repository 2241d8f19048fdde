// Row layouts in device memory.
#pragma once

#include <cstdint>

namespace preamble::cuda {

/// A tile of rows of one segment: rows [first, first + N) as far as the segment goes.
struct Tile {
  std::int32_t segment;
  std::int32_t first;
};

/// `RowLayout` as kernels see it: all of it lies in device memory, so that a captured graph serves batches of any layout. Kernels are
/// launched for an upper bound of rows and leave where the layout has fewer.
struct Layout {
  std::int32_t rows;
  std::int32_t segments;
  /// [segments + 1]
  const std::int32_t* offsets;
  /// [rows] position of each row in its segment; never null.
  const std::int32_t* positions;
  /// [rows] segment of each row.
  const std::int32_t* segment_of_row;
  /// Tiles of 64 and of 128 rows that cover all segments, segment by segment.
  const Tile* tiles64;
  const Tile* tiles128;
  std::int32_t tile64_count;
  std::int32_t tile128_count;
};

}  // namespace preamble::cuda
