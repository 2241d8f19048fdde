// What kernels share whose blocks own queries and walk over keys, on tensor cores. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_query_scores.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"

namespace preamble::cuda {

/// Keys and values of which one tile is read while the next one is copied.
template <int D, int Keys>
struct KeyTiles {
  Bf16 k[2][Keys * D];
  Bf16 v[2][Keys * D];
  std::int32_t key_position[2][Keys];
};

/// One head of one tile of queries.
template <int D, int M, int Keys, Extras extras, int warps, bool grouped>
class QueryBlock : public QueryScores<D, M, Keys, extras, warps, grouped> {
 public:
  using Scores = QueryScores<D, M, Keys, extras, warps, grouped>;
  using Scores::kAll, Scores::kExtras, Scores::kRows, Scores::kThreads, Scores::row;

  struct Shared {
    float bias[kExtras ? kSharedBiases : 1];
  };

  /// All threads of the block construct it alike. It begins to fill `rows` with each of `operands`, and the first half of the tiles of keys.
  template <int count>
  __device__ QueryBlock(const AttentionProblem& problem, const Tile& tile, int head, KeyTiles<D, Keys>& tiles, Shared& shared,
                        const RowsIn (&operands)[count], Bf16* const (&rows)[count])
      : Scores(problem, head, tile.segment, tiles.key_position, shared.bias), first_(tile.first), tiles_(tiles) {
    const Visibility* const records = p_.tiles + Visibility::place(segment_, first_);
    const Visibility front = records[0];
    rows_ = min(kRows, front.left);
    keys_ = front.keys();
    most_ = front.most, straight_ = front.straight != 0;
    // tiles of 64 rows: this warp's own one, and the others of the block
    const int own = warp() * 16 * M / kTile;
    if constexpr (kAll) from_ = front.least;
#pragma unroll
    for (int i = 1; i < kRows / kTile; ++i) {
      if (i * kTile >= rows_) break;
      most_ = max(most_, records[i].most), straight_ = straight_ && records[i].straight != 0;
      if constexpr (kAll) from_ = min(from_, records[i].least);
    }
    from_ = min(from_, most_) / Keys * Keys;
#pragma unroll
    for (int i = 0; i < count; ++i) fetch_rows(operands[i], rows[i]);
    const Visibility mine = own == 0 ? front : own * kTile < rows_ ? records[own] : Visibility{};
    key_position_ = front.key_position;
    kv_column_ = head_ / p_.group * p_.dim;
    keys_are_narrow_ = p_.k.narrow && p_.v.narrow;
    if (keys_are_narrow_) copy_k_ = {p_.k, kv_column_, p_.dim}, copy_v_ = {p_.v, kv_column_, p_.dim};
    fetch_keys<0>(from_);
    commit_copies();
    all_see_ = mine.all_see, warp_most_ = mine.most, nearest_ = mine.nearest, farthest_ = mine.farthest;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int i = row(m, half);
        const bool exists = i < rows_;
        seen_[m][half] = exists ? p_.seen[first_ + i] : 0;
        if constexpr (kExtras) position_[m][half] = exists ? p_.q_layout->positions[first_ + i] : 0;
        if constexpr (kAll) hidden_[m][half] = exists && p_.window > 0 ? p_.hidden[first_ + i] : 0;
      }
    }
    if constexpr (kExtras) {
      if (shares_biases(p_)) share_biases<kThreads>(p_, head_, shared.bias);
    }
  }

  [[nodiscard]] __device__ int rows() const { return rows_; }
  [[nodiscard]] __device__ std::int64_t first() const { return first_; }
  [[nodiscard]] __device__ int column() const { return head_ * p_.dim; }

  /// Begins to fill a tile with the queries' rows.
  __device__ void fetch_rows(const RowsIn& x, Bf16* tile) const {
    if (x.narrow && rows_ == kRows) return typename SharedRows<D>::template Copy<kRows, kThreads>(x, column(), p_.dim).begin(tile, first_, p_.dim);
    SharedRows<D>::template fill<kRows, kThreads>(tile, column(), p_.dim, [&](int r) { return Source{x, r < rows_ ? first_ + r : -1}; });
  }

  /// Begins to fill one half of the tiles with keys and values from `from` on, prefix keys first.
  template <int stage>
  __device__ void fetch_keys(int from) const {
    const bool own = from >= keys_.prefixes && from + Keys <= keys_.prefixes + keys_.count;
    if constexpr (kExtras) {
      if (const int r = static_cast<int>(threadIdx.x); p_.bias != nullptr && !(straight_ && own) && r < Keys) {
        tiles_.key_position[stage][r] = from + r < most_ ? p_.key_position(keys_, from + r) : p_.kNoPosition;
      }
    }
    if (keys_are_narrow_ && own) {
      copy_k_.begin(tiles_.k[stage], keys_.first + from - keys_.prefixes, p_.dim);
      copy_v_.begin(tiles_.v[stage], keys_.first + from - keys_.prefixes, p_.dim);
      return;
    }
    const auto find = [&](const RowsIn& prefix, const RowsIn& own) {
      return [&, from](int r) {
        const int j = from + r;
        return Source{RowsIn::pick(j < keys_.prefixes, prefix, own), j < most_ ? AttentionProblem::row(keys_, j) : -1};
      };
    };
    SharedRows<D>::template fill<Keys, kThreads>(tiles_.k[stage], kv_column_, p_.dim, find(p_.prefix_k, p_.k));
    SharedRows<D>::template fill<Keys, kThreads>(tiles_.v[stage], kv_column_, p_.dim, find(p_.prefix_v, p_.v));
  }

  /// Calls body(from, stage) for the tiles of keys that a query of the warp sees: those from `from` on lie in half `stage`, a constant. The
  /// queries' rows are there too.
  template <class Body>
  __device__ void for_keys(const Body& body) const {
    for (int from = from_; from < most_; from += 2 * Keys) {
      take_keys<0>(from, body);
      if (from + Keys >= most_) break;
      take_keys<1>(from + Keys, body);
    }
  }

 private:
  static constexpr int kTile = 64;

  template <int stage, class Body>
  __device__ void take_keys(int from, const Body& body) const {
    wait_copies<0>();
    if constexpr (grouped) publish_to_tensor_cores();
    // the tile before this one has been read by all, too: the next one may overwrite it
    __syncthreads();
    if (from + Keys < most_) fetch_keys<1 - stage>(from + Keys);
    commit_copies();
    if (from < warp_most_) body(from, stage);
  }

  using Scores::p_, Scores::head_, Scores::segment_, Scores::rows_, Scores::keys_, Scores::position_, Scores::seen_, Scores::hidden_;
  using Scores::all_see_, Scores::nearest_, Scores::farthest_, Scores::key_position_, Scores::straight_;

  int first_;
  int kv_column_;
  bool keys_are_narrow_;
  typename SharedRows<D>::template Copy<Keys, kThreads> copy_k_, copy_v_;
  KeyTiles<D, Keys>& tiles_;
  int from_ = 0;    ///< first key of the first tile: earlier ones have left the windows of all queries
  int most_;        ///< no query of the block sees this key or a later one
  int warp_most_;   ///< nor one of the 64 queries that the warp's own are among
};

/// Tile `index`, from the last one on: the last tiles of causal segments take longest.
template <int rows>
[[nodiscard]] __device__ inline bool find_tile(const Layout& layout, std::int64_t index, Tile& tile) {
  const Tile* tiles = rows == 64 ? layout.tiles64 : layout.tiles128;
  const std::int32_t count = rows == 64 ? layout.tile64_count : layout.tile128_count;
  if (index >= count) return false;
  tile = tiles[count - 1 - index];
  return true;
}

/// Segments of queries that tiles of 128 rows suit.
[[nodiscard]] inline bool has_long_queries(const AttentionGrid& grid) { return grid.average_queries > 64; }

/// Heads and GPUs that warpgroups suit: tiles of 64 columns.
[[nodiscard]] inline bool suits_warpgroups(const AttentionProblem& p, const Queue& queue) { return queue.has_warpgroups && p.dim <= 64; }

}  // namespace preamble::cuda
