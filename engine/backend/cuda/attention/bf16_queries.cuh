// What kernels share whose blocks own queries and walk over keys, each warp for itself. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_key_tiles.cuh"
#include "engine/backend/cuda/attention/bf16_query_scores.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"

namespace preamble::cuda {

/// One head of one tile of queries. One tile of keys is read while the next one is copied.
template <int D, int M, int Keys, Extras extras>
class QueryBlock : public QueryScores<D, M, Keys, extras> {
 public:
  using Scores = QueryScores<D, M, Keys, extras>;
  using Scores::kExtras, Scores::kRows;

  struct Shared {
    float bias[kExtras ? kSharedBiases : 1];
  };

  /// All threads of the block construct it alike. It begins to fill `rows` with each of `operands`, and the first half of the tiles of keys.
  template <int count>
  __device__ QueryBlock(const AttentionProblem& problem, const Tile& tile, int head, KeyTiles<D, Keys, 2>& tiles, Shared& shared,
                        const RowsIn (&operands)[count], Bf16* const (&rows)[count])
      : Scores(problem, head, tile.segment, tiles.key_position, shared.bias),
        queries_(QueryRange::of<kRows, Keys, extras>(problem, tile)),
        copies_(problem, head),
        tiles_(tiles) {
    straight_ = queries_.straight;
#pragma unroll
    for (int i = 0; i < count; ++i) fetch_queries<D, kRows>(operands[i], queries_, column(), p_.dim, rows[i]);
    copies_.fetch(p_, queries_, queries_.from, 0, tiles_);
    commit_copies();
    // the 64 rows that the warp's own are among
    const int own = warp() * 16 * M / kTile;
    const Visibility mine =
        own * kTile < queries_.rows ? p_.tiles[Visibility::place(tile.segment, tile.first) + own] : p_.tiles[Visibility::place(tile.segment, tile.first)];
    warp_most_ = own * kTile < queries_.rows ? mine.most : 0;
    this->learn(mine, queries_.rows, p_.seen + queries_.first, p_.q_layout->positions + queries_.first, p_.hidden + queries_.first);
    if constexpr (kExtras) {
      if (shares_biases(p_)) share_biases<kBlockThreads>(p_, head, shared.bias);
    }
  }

  [[nodiscard]] __device__ int rows() const { return queries_.rows; }
  [[nodiscard]] __device__ std::int64_t first() const { return queries_.first; }
  [[nodiscard]] __device__ int column() const { return head_ * p_.dim; }

  /// Calls body(from, stage) for the tiles of keys that a query of the warp sees: those from `from` on lie in half `stage`, a constant. The
  /// queries' rows are there too.
  template <class Body>
  __device__ void for_keys(const Body& body) const {
    for (int from = queries_.from; from < queries_.most; from += 2 * Keys) {
      take_keys<0>(from, body);
      if (from + Keys >= queries_.most) break;
      take_keys<1>(from + Keys, body);
    }
  }

 private:
  static constexpr int kTile = 64;

  template <int stage, class Body>
  __device__ void take_keys(int from, const Body& body) const {
    wait_copies<0>();
    // the tile before this one has been read by all, too: the next one may overwrite it
    __syncthreads();
    if (from + Keys < queries_.most) copies_.fetch(p_, queries_, from + Keys, 1 - stage, tiles_);
    commit_copies();
    if (from < warp_most_) body(from, stage);
  }

  using Scores::p_, Scores::head_, Scores::straight_;

  QueryRange queries_;
  KeyCopies<D, Keys, extras> copies_;
  KeyTiles<D, Keys, 2>& tiles_;
  int warp_most_;  ///< no query among the 64 of the warp's own sees this key or a later one
};

/// Segments of queries that tiles of 128 rows suit.
[[nodiscard]] inline bool has_long_queries(const AttentionGrid& grid) { return grid.average_queries() > 64; }

/// Heads and GPUs that warpgroups suit: tiles of 64 columns.
[[nodiscard]] inline bool suits_warpgroups(const AttentionProblem& p, const Queue& queue) { return queue.has_warpgroups && p.dim <= 64; }

}  // namespace preamble::cuda
