// Row layouts in device memory.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/host_device.h"

namespace preamble::cuda {

/// A tile of rows of one segment: rows [first, first + N) as far as the segment goes.
struct Tile {
  std::int32_t segment;
  std::int32_t first;
};

struct TileList {
  const Tile* tiles;
  std::int32_t count;
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
  /// Tiles of 64, 128 and 192 rows that cover all segments, segment by segment.
  TileList lists[3];

  /// The list of tiles of so many rows.
  [[nodiscard]] PREAMBLE_HOST_AND_DEVICE const Tile* tiles(std::int32_t tile_rows) const { return lists[tile_rows / kTileStep - 1].tiles; }
  [[nodiscard]] PREAMBLE_HOST_AND_DEVICE std::int32_t tile_count(std::int32_t tile_rows) const { return lists[tile_rows / kTileStep - 1].count; }
  static constexpr std::int32_t kTileStep = 64;
};

}  // namespace preamble::cuda
