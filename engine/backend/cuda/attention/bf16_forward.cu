#include "engine/backend/cuda/attention/bf16_queries.cuh"
#include "engine/backend/cuda/attention/bf16_query_groups.cuh"
#include "engine/backend/cuda/attention/bf16_softmax.cuh"
#include "engine/backend/cuda/attention/bf16_tile_stores.cuh"
#include "engine/backend/cuda/attention/launch.cuh"

namespace preamble::cuda::tensor {
namespace {

constexpr int kKeys = 64;

template <int D, int M, Extras extras>
struct OutputShared {
  Bf16 q[QueryBlock<D, M, kKeys, extras>::kRows * D];
  KeyTiles<D, kKeys, 2> keys;
  typename QueryBlock<D, M, kKeys, extras>::Shared block;
};

/// A block owns some queries of a segment and one head, a warp 16 M of them. Scores, o, maxima and sums stay in registers, and the queries; 64
/// keys and values at a time lie in shared memory while the next 64 are copied. Everything is read once.
template <int D, int M, Extras extras>
__global__ void __launch_bounds__(kBlockThreads, 2)
    output_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionResults results) {
  using Block = QueryBlock<D, M, kKeys, extras>;
  Tile tile;
  if (!find_tile<Block::kRows>(*p.q_layout, blockIdx.x, tile)) return;
  auto& s = *shared_memory<OutputShared<D, M, extras>>();
  const auto head = static_cast<int>(blockIdx.y);
  const Block block(p, tile, head, s.keys, s.block, {p.q}, {s.q});
  wait_copies<0>();
  __syncthreads();
  FragmentA q[M][D / 16];
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int k = 0; k < D / 16; ++k) q[m][k] = SharedRows<D>::left(s.q, warp() * 16 * M + 16 * m, 16 * k);
  }

  Sum o[M][D / 8];
  clear(o);
  OnlineSoftmax<M> softmax;
  const float scale = block.factor();
  block.for_keys([&](int from, int stage) {
    Sum c[M][kKeys / 8];
    clear(c);
#pragma unroll
    for (int k = 0; k < D / 16; ++k) {
#pragma unroll
      for (int n = 0; n < kKeys / 8; n += 2) {
        FragmentB b[2];
        SharedRows<D>::right(s.keys.k[stage], 8 * n, 16 * k, b);
#pragma unroll
        for (int m = 0; m < M; ++m) {
          multiply_add(q[m][k], b[0], c[m][n]);
          multiply_add(q[m][k], b[1], c[m][n + 1]);
        }
      }
    }
    block.finish_scores(from, stage, c);
    softmax.take(c, scale, o);
    if constexpr (extras == Extras::all) {
      if (p.mask) block.drop(from, c);
    }
    add_rows<D>(c, s.keys.v[stage], 0, o);
  });
  softmax.store(p, results, block.first(), block.rows(), head, scale, o, Block::row);
}

/// What a warpgroup makes of the keys of an item. Values of a tile are still being added up when the next one is begun.
template <Extras extras>
class OutputWork {
 public:
  using Groups = QueryGroups<1, extras>;
  using Group = typename Groups::Group;

  __device__ OutputWork(const AttentionProblem& p, const AttentionResults& results, int index, typename Groups::Shared& s)
      : p_(p), results_(results), s_(s), index_(index) {}

  __device__ void begin(const Group& group) {
    clear(o_);
    softmax_ = {};
    first_ = group.first(), rows_ = group.rows(), head_ = group.head(), scale_ = group.factor();
  }
  __device__ void take(const Group& group, int from, int stage) {
    end_last();
    Sum c[1][kKeys / 8];
    Warpgroup::begin_scores(group.operand(0), s_.keys.k[stage], c);
    Warpgroup::wait<0>(c);
    group.finish_scores(from, stage, c);
    softmax_.take(c, scale_, o_);
    if constexpr (extras == Extras::all) {
      if (p_.mask) group.drop(from, c);
    }
    weights_ = Weights(c);
    Warpgroup::begin_rows(weights_, s_.keys.v[stage], o_);
    before_ = stage;
  }
  __device__ void end(Bf16* tile) {
    end_last();
    float factor[1][2];
    softmax_.end(p_, results_, first_, rows_, head_, scale_, Group::row, factor);
    // other warps may still multiply rows of the tile
    wait_for_warpgroup(index_);
    if (results_.output) store_tile(results_.output, first_, rows_, head_ * p_.dim, p_.dim, o_[0], factor[0], tile);
  }

 private:
  /// Waits for the sums of the tile before.
  __device__ void end_last() {
    Warpgroup::wait(weights_, o_);
    if (before_ != kNone) s_.barriers.release(before_);
    before_ = kNone;
  }

  const AttentionProblem& p_;
  const AttentionResults& results_;
  typename Groups::Shared& s_;
  int index_;
  static constexpr int kNone = -1;
  int before_ = kNone;  ///< stage of the tile whose values are not waited for
  Weights weights_;
  Sum o_[1][Groups::kColumns / 8];
  OnlineSoftmax<1> softmax_;
  std::int64_t first_ = 0;
  int rows_ = 0, head_ = 0;
  float scale_ = 0;
};

/// The same by warpgroups, of 64 queries each.
template <Extras extras>
__global__ void __launch_bounds__(QueryGroups<1, extras>::Block::kThreads, 1)
    grouped_output_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionResults results) {
  using Groups = QueryGroups<1, extras>;
  using Block = typename Groups::Block;
  auto& s = *shared_memory<typename Groups::Shared>();
  Groups::begin(s);
  if (const int index = warpgroup(); index < 0) {
    give_up_registers<Block::kCopyingRegisters>();
    Groups::copy(p, 0, {p.q}, nullptr, nullptr, s);
  } else {
    take_registers<Block::kMultiplyingRegisters>();
    OutputWork<extras> work(p, results, index, s);
    Groups::multiply(p, index, s, work);
  }
}

template <int D, int M, Extras extras>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionResults& results) {
  launch_blocks("attention", output_kernel<D, M, extras>, grid.queries(QueryBlock<D, M, kKeys, extras>::kRows, p.heads), kBlockThreads,
                sizeof(OutputShared<D, M, extras>), grid.queue, p, results);
}

}  // namespace

void output(const AttentionGrid& grid, const AttentionProblem& p, const AttentionResults& results) {
  with_extras(p, [&]<Extras extras>() {
    constexpr Extras kExtras = none_or_all(extras);
    if (p.dim > 64) return launch<128, 1, kExtras>(grid, p, results);
    if (suits_warpgroups(p, grid.queue)) {
      using Block = typename QueryGroups<1, extras>::Block;
      return launch_blocks("attention", grouped_output_kernel<extras>, Block::blocks(grid.queue, grid.q.tiles(Block::kRows) * p.heads), Block::kThreads,
                           sizeof(typename QueryGroups<1, extras>::Shared), grid.queue, p, results);
    }
    has_long_queries(grid) ? launch<64, 2, kExtras>(grid, p, results) : launch<64, 1, kExtras>(grid, p, results);
  });
}

}  // namespace preamble::cuda::tensor
