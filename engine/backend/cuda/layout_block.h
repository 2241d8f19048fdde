// The row layouts of a program as one block of memory that is copied to a device as it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "engine/backend/cuda/layout.h"
#include "engine/core/rows.h"
#include "engine/graph/graph.h"

namespace preamble::cuda {

/// Where the layout of each row space lies in the block, sized for the capacities.
class LayoutBlock {
 public:
  explicit LayoutBlock(std::span<const RowSpace> spaces);

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// Offset of the `Layout` of a row space.
  [[nodiscard]] std::size_t offset(std::size_t space) const { return offsets_.at(space).layout; }

  /// Writes all layouts to host memory `block`, with pointers that are right once it has been copied to `device`.
  void write(std::span<const RowLayout> layouts, std::byte* block, std::byte* device) const;

 private:
  struct Offsets {
    std::size_t layout, offsets, positions, segments;
    std::array<std::size_t, std::size(Layout{}.lists)> tiles;
  };

  std::vector<Offsets> offsets_;
  std::size_t bytes_ = 0;
};

}  // namespace preamble::cuda
