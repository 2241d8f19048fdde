// Tiles of keys and values that a block of queries reads. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_biases.cuh"
#include "engine/backend/cuda/attention/bf16_tile.cuh"
#include "engine/backend/cuda/attention/visibility.cuh"

namespace preamble::cuda {

/// Keys and values of `stages` tiles of `Keys` keys.
template <int D, int Keys, int stages>
struct KeyTiles {
  Bf16 k[stages][Keys * D];
  Bf16 v[stages][Keys * D];
  std::int32_t key_position[stages][Keys];
};

/// Queries of one segment, and the keys that they see: all threads of a block look it up.
struct QueryRange {
  SegmentKeys keys;
  int first, rows;
  int from;       ///< first key of the first tile: earlier ones have left the windows of all queries
  int most;       ///< no query sees this key or a later one
  bool straight;  ///< positions of the queries and of their keys rise by one

  /// Up to `Rows` queries, a multiple of 64.
  template <int Rows, int Keys, Extras extras>
  [[nodiscard]] static __device__ QueryRange of(const AttentionProblem& p, const Tile& tile) {
    constexpr int kTile = 64;
    const Visibility* const records = p.tiles + Visibility::place(tile.segment, tile.first);
    const Visibility front = records[0];
    QueryRange range{front.keys(), tile.first, min(Rows, front.left), extras == Extras::all ? front.least : 0, front.most, front.straight != 0};
#pragma unroll
    for (int i = 1; i < Rows / kTile; ++i) {
      if (i * kTile >= range.rows) break;
      range.most = max(range.most, records[i].most), range.straight = range.straight && records[i].straight != 0;
      if constexpr (extras == Extras::all) range.from = min(range.from, records[i].least);
    }
    range.from = min(range.from, range.most) / Keys * Keys;
    return range;
  }
};

/// The first 128 threads of a block copy.
template <int D, int Keys, Extras extras>
class KeyCopies {
 public:
  __device__ KeyCopies() = default;
  __device__ KeyCopies(const AttentionProblem& p, int head) : column_(head / p.group * p.dim), are_narrow_(p.k.narrow && p.v.narrow) {
    if (are_narrow_) copy_k_ = {p.k, column_, p.dim}, copy_v_ = {p.v, column_, p.dim};
  }

  /// Begins to fill a tile with keys and values from `from` on, prefix keys first.
  template <int stages>
  __device__ void fetch(const AttentionProblem& p, const QueryRange& queries, int from, int stage, KeyTiles<D, Keys, stages>& tiles) const {
    const SegmentKeys& keys = queries.keys;
    const bool own = from >= keys.prefixes && from + Keys <= keys.prefixes + keys.count;
    if constexpr (extras != Extras::none) {
      if (const int r = static_cast<int>(threadIdx.x); p.bias != nullptr && !(queries.straight && own) && r < Keys) {
        tiles.key_position[stage][r] = from + r < queries.most ? p.key_position(keys, from + r) : p.kNoPosition;
      }
    }
    if (are_narrow_ && own) {
      copy_k_.begin(tiles.k[stage], keys.first + from - keys.prefixes, p.dim);
      copy_v_.begin(tiles.v[stage], keys.first + from - keys.prefixes, p.dim);
      return;
    }
    const auto find = [&](const RowsIn& prefix, const RowsIn& own_rows) {
      return [&, from](int r) {
        const int j = from + r;
        return Source{RowsIn::pick(j < keys.prefixes, prefix, own_rows), j < queries.most ? AttentionProblem::row(keys, j) : -1};
      };
    };
    SharedRows<D>::template fill<Keys>(tiles.k[stage], column_, p.dim, find(p.prefix_k, p.k));
    SharedRows<D>::template fill<Keys>(tiles.v[stage], column_, p.dim, find(p.prefix_v, p.v));
  }

 private:
  int column_ = 0;
  bool are_narrow_ = false;
  typename SharedRows<D>::template Copy<Keys, kBlockThreads> copy_k_, copy_v_;
};

/// Begins to fill a tile with a head's columns of queries or of rows of dO; zeros behind the last row.
template <int D, int Rows>
__device__ inline void fetch_queries(const RowsIn& x, const QueryRange& queries, int column, int dim, Bf16* tile) {
  constexpr int kPart = 64;
#pragma unroll 1
  for (int part = 0; part < Rows; part += kPart) {
    Bf16* const to = tile + part * D;
    if (x.narrow && part + kPart <= queries.rows) {
      typename SharedRows<D>::template Copy<kPart, kBlockThreads>(x, column, dim).begin(to, queries.first + part, dim);
    } else {
      SharedRows<D>::template fill<kPart>(to, column, dim,
                                          [&](int r) { return Source{x, part + r < queries.rows ? queries.first + part + r : -1}; });
    }
  }
}

/// Tile `index`, from the last one on: the last tiles of causal segments take longest.
template <int rows>
[[nodiscard]] __device__ inline bool find_tile(const Layout& layout, std::int64_t index, Tile& tile) {
  const std::int32_t count = layout.tile_count(rows);
  if (index >= count) return false;
  tile = layout.tiles(rows)[count - 1 - index];
  return true;
}

}  // namespace preamble::cuda
