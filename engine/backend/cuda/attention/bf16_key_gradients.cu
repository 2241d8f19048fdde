#include "engine/backend/cuda/attention/bf16_key_copies.cuh"
#include "engine/backend/cuda/attention/bf16_key_scores.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"

namespace preamble::cuda::tensor {
namespace {

/// The shared memory of a block that owns `Keys` keys.
template <int D, int Keys, Extras extras>
struct BlockKeys : QueryTiles<D, 2, extras> {
  Bf16 k[Keys * D];
  Bf16 v[Keys * D];
  float bias[extras != Extras::none ? kSharedBiases : 1];
};

/// A block owns the keys of a tile, one key/value head and a chunk of the queries: dK and dV, which stay in registers as do P and dP, all
/// of them transposed. Keys and values lie in shared memory, and 64 queries and rows of dO at a time while the next ones are copied.
template <int D, int M, Share share, Extras extras>
class KeyBlock : KeyScores<D, M, share, extras, BlockKeys<D, kKeysOf<M, share>, extras>> {
  using Base = KeyScores<D, M, share, extras, BlockKeys<D, kKeysOf<M, share>, extras>>;
  using Base::kAll, Base::kColumns, Base::kExtras, Base::p_, Base::first_row_, Base::rows_, Base::s_, Base::key_position_;
  using Base::warp_row;
  using typename Base::Scores;

 public:
  using Base::kKeys;
  using typename Base::Shared;

  __device__ KeyBlock(const AttentionProblem& problem, const AttentionGradients& given, const KeyGradients& to, const Tile& tile, int first,
                      int kv_head, std::int32_t chunk, Shared& shared)
      : Base(problem, to.target, tile.first + first, to.target.layout(problem).offsets[tile.segment + 1] - tile.first - first, shared),
        copies_(problem, given, kv_head, shared),
        to_(to),
        segment_(tile.segment),
        kv_head_(kv_head),
        chunk_(chunk),
        key_(first_row_ - to.target.layout(problem).offsets[tile.segment]) {
    clear(dk_);
    clear(dv_);
  }

  __device__ void run() {
    copies_.template fetch_keys<kKeys>(to_.target.prefix, first_row_, rows_, kv_head_, s_.k, s_.v);
    if constexpr (kExtras) {
      if (this->bias_is_shared()) share_biases<kBlockThreads>(p_, kv_head_, s_.bias);
      this->biases_ = s_.bias;
      if (p_.bias != nullptr && !to_.target.prefix) key_position_ = p_.k_layout->positions[first_row_];
    }
    Steps steps(p_, to_.target, segment_, key_, rows_, kv_head_, chunk_);
    Step next = steps.begin();
    bool more = steps.next(next);
    if (more) copies_.fetch(next, 0);
    commit_copies();
    while (more) {
      take<0>(steps, next, more);
      if (!more) break;
      take<1>(steps, next, more);
    }
    __syncthreads();
    wait_copies<0>();
    if constexpr (share == Share::queries) add_warps();
    if (share != Share::queries || warp() == 0) this->store(to_, chunk_, kv_head_, dk_, dv_);
  }

 private:
  /// Takes the step that lies in half `stage`, while its successor is fetched.
  template <int stage>
  __device__ void take(Steps& steps, Step& next, bool& more) {
    wait_copies<0>();
    // the queries before these have been read by all, too: the next ones may overwrite them
    __syncthreads();
    more = steps.next(next);
    if (more) copies_.fetch(next, 1 - stage);
    commit_copies();
    const Visibility& tile = s_.tile[stage];
    const int first = to_.target.prefix ? key_ : tile.prefixes + key_;
    if (tile.most <= first) return;
    if constexpr (share == Share::keys) {
#pragma unroll
      for (int column = 0; column < kQueries; column += kColumns) {
        if (column < tile.left && warp() * 16 * M < rows_) add(first, stage, column);
      }
    } else {
      add(first, stage, warp() * kColumns);
    }
  }

  /// Adds what queries [column, column + kColumns) of a tile contribute, to whom the block's first key is number `first`.
  __device__ void add(int first, int stage, int column) {
    Scores p;
    Scores d;
    multiply(s_.k, s_.q[stage], column, p);
    multiply(s_.v, s_.g[stage], column, d);
    this->make_probabilities(first, stage, column, p);
    this->make_gradients(first, stage, column, p, d);
    add_rows<D>(p, s_.g[stage], column, dv_);
    add_rows<D>(d, s_.q[stage], column, dk_);
  }

  /// c = keys (or values) times queries (or dO) from `column` on, transposed
  static __device__ void multiply(const Bf16* keys, const Bf16* queries, int column, Scores& c) {
    clear(c);
    add_scores<D>(keys, warp_row(), queries, column, c);
  }

  /// The first warp gets the sums of all, in their order.
  __device__ void add_warps() {
    auto* sums = reinterpret_cast<float*>(s_.q);  // of a warp: [2, M, D / 8, 4, 32]
    static_assert(sizeof(float) * 2 * 16 * M * D <= sizeof(s_.q) + sizeof(s_.g));
    for (int w = 1; w < kWarps; ++w) {
      if (warp() == w) for_sums([&](int i, float& x) { sums[32 * i + lane()] = x; });
      __syncthreads();
      if (warp() == 0) for_sums([&](int i, float& x) { x += sums[32 * i + lane()]; });
      __syncthreads();
    }
  }
  template <class Body>
  __device__ void for_sums(const Body& body) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          body((m * D / 8 + n) * 4 + i, dk_[m][n].x[i]);
          body(((M + m) * D / 8 + n) * 4 + i, dv_[m][n].x[i]);
        }
      }
    }
  }

  QueryCopies<D, extras, Shared> copies_;
  const KeyGradients& to_;
  int segment_, kv_head_;
  std::int32_t chunk_;
  int key_;  ///< number of the first key in its segment
  Sum dk_[M][D / 8], dv_[M][D / 8];
};

/// Blocks of few keys wait for most of their time: they hide it from each other.
template <int D, Share share, Extras extras>
inline constexpr int kBlocksOfMultiprocessor = D == 64 && share == Share::queries&& extras == Extras::none ? 4 : 2;

template <int D, int M, Share share, Extras extras>
__global__ void __launch_bounds__(kBlockThreads, kBlocksOfMultiprocessor<D, share, extras>)
    key_gradients_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                         const __grid_constant__ KeyGradients to) {
  using Block = KeyBlock<D, M, share, extras>;
  constexpr int kTileRows = Block::kKeys > 64 ? 128 : 64;
  constexpr int kParts = kTileRows / Block::kKeys;
  const Layout& layout = to.target.layout(p);
  const auto index = static_cast<std::int32_t>(blockIdx.x) / kParts;
  if (index >= layout.tile_count(kTileRows)) return;
  const Tile tile = layout.tiles(kTileRows)[index];
  const int first = static_cast<int>(blockIdx.x) % kParts * Block::kKeys;
  if (tile.first + first >= layout.offsets[tile.segment + 1]) return;
  Block(p, given, to, tile, first, static_cast<int>(blockIdx.y), static_cast<std::int32_t>(blockIdx.z),
        *shared_memory<typename Block::Shared>())
      .run();
}

template <int D, int M, Share share, Extras extras>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to) {
  using Block = KeyBlock<D, M, share, extras>;
  constexpr int kParts = Block::kKeys > 64 ? 1 : 64 / Block::kKeys;
  dim3 blocks = to.grid(Block::kKeys > 64 ? 128 : 64, p.kv_heads);
  blocks.x *= kParts;
  launch_blocks("attention_grad: dk, dv", key_gradients_kernel<D, M, share, extras>, blocks, kBlockThreads, sizeof(typename Block::Shared),
                grid.queue, p, given, to);
}

}  // namespace

void key_gradients(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to) {
  with_extras(p, [&]<Extras extras>() {
    constexpr Extras kExtras = none_or_all(extras);
    const bool few = to.average_keys() <= 32;
    if (p.dim > 64) {
      few ? launch<128, 1, Share::queries, kExtras>(grid, p, given, to) : launch<128, 1, Share::keys, kExtras>(grid, p, given, to);
    } else if (few) {
      launch<64, 1, Share::queries, kExtras>(grid, p, given, to);
    } else if (grid.queue.has_warpgroups) {
      grouped_key_gradients(grid, p, given, to);
    } else if (to.average_keys() <= 64) {
      launch<64, 1, Share::keys, kExtras>(grid, p, given, to);
    } else {
      launch<64, 2, Share::keys, kExtras>(grid, p, given, to);
    }
  });
}

}  // namespace preamble::cuda::tensor
