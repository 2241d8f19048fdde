#include "engine/backend/cuda/layout_block.h"

#include <algorithm>
#include <new>

namespace preamble::cuda {
namespace {

constexpr std::size_t kAlignment = 16;

/// Rows of the tiles of a list.
constexpr std::int32_t tile_rows(std::size_t list) noexcept { return Layout::kTileStep * (static_cast<std::int32_t>(list) + 1); }

/// Tiles of at most `size` rows.
std::int32_t write_tiles(const RowLayout& layout, std::int32_t size, Tile* tiles) noexcept {
  std::int32_t count = 0;
  for (std::int32_t s = 0; s < layout.segments; ++s) {
    for (std::int32_t first = layout.offsets[s]; first < layout.offsets[s + 1]; first += size) tiles[count++] = {s, first};
  }
  return count;
}

}  // namespace

LayoutBlock::LayoutBlock(std::span<const RowSpace> spaces) {
  const auto take = [&](std::size_t bytes) {
    const std::size_t at = bytes_;
    bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return at;
  };
  for (const auto& space : spaces) {
    const auto rows = static_cast<std::size_t>(space.rows);
    const auto segments = static_cast<std::size_t>(space.segments);
    Offsets at{};
    at.layout = take(sizeof(Layout));
    at.offsets = take((segments + 1) * sizeof(std::int32_t));
    at.positions = take(rows * sizeof(std::int32_t));
    at.segments = take(rows * sizeof(std::int32_t));
    for (std::size_t k = 0; k < at.tiles.size(); ++k) at.tiles[k] = take((rows / tile_rows(k) + segments) * sizeof(Tile));
    offsets_.push_back(at);
  }
}

void LayoutBlock::write(std::span<const RowLayout> layouts, std::byte* block, std::byte* device) const {
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    const RowLayout& from = layouts[i];
    const Offsets& at = offsets_[i];
    std::copy_n(from.offsets, from.segments + 1, reinterpret_cast<std::int32_t*>(block + at.offsets));
    auto* positions = reinterpret_cast<std::int32_t*>(block + at.positions);
    auto* segments = reinterpret_cast<std::int32_t*>(block + at.segments);
    for (std::int32_t s = 0; s < from.segments; ++s) {
      for (std::int32_t r = from.offsets[s]; r < from.offsets[s + 1]; ++r) {
        positions[r] = from.position(s, r);
        segments[r] = s;
      }
    }
    Layout to{};
    to.rows = from.rows;
    to.segments = from.segments;
    to.offsets = reinterpret_cast<const std::int32_t*>(device + at.offsets);
    to.positions = reinterpret_cast<const std::int32_t*>(device + at.positions);
    to.segment_of_row = reinterpret_cast<const std::int32_t*>(device + at.segments);
    for (std::size_t k = 0; k < at.tiles.size(); ++k) {
      const std::int32_t count = write_tiles(from, tile_rows(k), reinterpret_cast<Tile*>(block + at.tiles[k]));
      to.lists[k] = {reinterpret_cast<const Tile*>(device + at.tiles[k]), count};
    }
    new (block + at.layout) Layout(to);
  }
}

}  // namespace preamble::cuda
