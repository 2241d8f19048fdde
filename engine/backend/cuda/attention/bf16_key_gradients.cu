#include "engine/backend/cuda/attention/bf16_key_scores.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/warpgroup.cuh"

namespace preamble::cuda::tensor {
namespace {

/// A block owns the keys of a tile, one key/value head and a chunk of the queries: dK and dV, which stay in registers as do P and dP, all
/// of them transposed. Keys and values lie in shared memory, and 64 queries and rows of dO at a time while the next ones are copied.
template <int D, int M, Share share, Extras extras>
class KeyBlock : KeyScores<D, M, share, extras> {
  using Base = KeyScores<D, M, share, extras>;
  using Base::kAll, Base::kColumns, Base::kExtras, Base::p_, Base::first_row_, Base::rows_, Base::s_, Base::key_position_;
  using Base::row, Base::statistic, Base::warp_row;
  using typename Base::Scores;
  static_assert(share != Share::group || (D == 64 && M == 1));

 public:
  using Base::kKeys;
  using typename Base::Shared;

  __device__ KeyBlock(const AttentionProblem& problem, const AttentionGradients& given, const KeyGradients& to, const Tile& tile, int first,
                      int kv_head, std::int32_t chunk, Shared& shared)
      : Base(problem, to.target, tile, first, shared),
        given_(given),
        to_(to),
        segment_(tile.segment),
        kv_head_(kv_head),
        chunk_(chunk),
        key_(first_row_ - to.target.layout(problem).offsets[tile.segment]) {
    clear(dk_);
    clear(dv_);
    is_narrow_ = p_.q.narrow && given_.output_gradient.narrow;
    // a head of its own: of several that share the keys, copies are worked out for each step
    if (is_narrow_) copy_q_ = {p_.q, kv_head_ * p_.dim, p_.dim}, copy_g_ = {given_.output_gradient, kv_head_ * p_.dim, p_.dim};
  }

  __device__ void run() {
    const RowsIn k = RowsIn::pick(to_.target.prefix, p_.prefix_k, p_.k);
    const RowsIn v = RowsIn::pick(to_.target.prefix, p_.prefix_v, p_.v);
    SharedRows<D>::template fill<kKeys>(s_.k, kv_head_ * p_.dim, p_.dim, [&](int r) { return Source{k, r < rows_ ? first_row_ + r : -1}; });
    SharedRows<D>::template fill<kKeys>(s_.v, kv_head_ * p_.dim, p_.dim, [&](int r) { return Source{v, r < rows_ ? first_row_ + r : -1}; });
    if constexpr (kExtras) {
      if (this->bias_is_shared()) share_biases<kBlockThreads>(p_, kv_head_, s_.bias);
      if (p_.bias != nullptr && !to_.target.prefix) key_position_ = p_.k_layout->positions[first_row_];
    }
    Steps steps(p_, to_.target, segment_, key_, rows_, kv_head_, chunk_);
    Step next = steps.begin();
    bool more = steps.next(next);
    if (more) fetch(next, 0);
    commit_copies();
    while (more) {
      take<0>(steps, next, more);
      if (!more) break;
      take<1>(steps, next, more);
    }
    __syncthreads();
    wait_copies<0>();
    store();
  }

 private:
  /// Takes the step that lies in half `stage`, while its successor is fetched.
  template <int stage>
  __device__ void take(Steps& steps, Step& next, bool& more) {
    wait_copies<0>();
    if constexpr (share == Share::group) publish_to_tensor_cores();
    // the queries before these have been read by all, too: the next ones may overwrite them
    __syncthreads();
    more = steps.next(next);
    if (more) fetch(next, 1 - stage);
    commit_copies();
    const Visibility& tile = s_.tile[stage];
    const int first = to_.target.prefix ? key_ : tile.prefixes + key_;
    if (tile.most <= first) return;
    if constexpr (share == Share::group) {
      add(first, stage, 0);
    } else if constexpr (share == Share::keys) {
#pragma unroll
      for (int column = 0; column < kQueries; column += kColumns) {
        if (column < tile.left && warp() * 16 * M < rows_) add(first, stage, column);
      }
    } else {
      add(first, stage, warp() * kColumns);
    }
  }

  __device__ void fetch(const Step& step, int stage) const {
    const QueryTile& queries = step.queries;
    if (queries.rows == kQueries && is_narrow_ && p_.group == 1) {
      copy_q_.begin(s_.q[stage], queries.first, p_.dim);
      copy_g_.begin(s_.g[stage], queries.first, p_.dim);
    } else {
      const auto find = [&](const RowsIn& x) { return [&](int r) { return Source{x, r < queries.rows ? queries.first + r : -1}; }; };
      SharedRows<D>::template fill<kQueries>(s_.q[stage], step.head * p_.dim, p_.dim, find(p_.q));
      SharedRows<D>::template fill<kQueries>(s_.g[stage], step.head * p_.dim, p_.dim, find(given_.output_gradient));
    }
    const auto* record = reinterpret_cast<const uint4*>(p_.tiles + Visibility::place(queries.segment, queries.first));
    constexpr int kPieces = sizeof(Visibility) / sizeof(uint4);
    if (threadIdx.x < kPieces) copy_16_async(reinterpret_cast<uint4*>(&s_.tile[stage]) + threadIdx.x, record + threadIdx.x, true);
    if (kExtras && threadIdx.x == 0) s_.segment[stage] = queries.segment, s_.head[stage] = step.head;
    // a row that does not exist gets zeros: it sees no key
    const int r = static_cast<int>(threadIdx.x) % kQueries;
    const bool exists = r < queries.rows;
    const std::int64_t row = queries.first + (exists ? r : 0);
    const std::int64_t at = row * p_.heads + step.head;
    if (threadIdx.x < kQueries) {
      copy_4_async(statistic(stage, r, 0), given_.log_sum_exp + at, exists);
      copy_4_async(&s_.seen[stage][r], p_.seen + row, exists);
      if (kExtras && (p_.bias != nullptr || p_.mask)) copy_4_async(&s_.position[stage][r], p_.q_layout->positions + row, exists);
    } else {
      copy_4_async(statistic(stage, r, 1), given_.products + at, exists);
      if (kAll && p_.window > 0) copy_4_async(&s_.hidden[stage][r], p_.hidden + row, exists);
    }
  }

  /// Adds what queries [column, column + kColumns) of a tile contribute, to whom the block's first key is number `first`.
  __device__ void add(int first, int stage, int column) {
    Scores p;
    Scores d;
    if constexpr (share == Share::group) {
      Warpgroup::two_scores(s_.k, s_.q[stage], p, s_.v, s_.g[stage], d);
    } else {
      multiply(s_.k, s_.q[stage], column, p);
      multiply(s_.v, s_.g[stage], column, d);
    }
    this->finish(first, stage, column, p, d);
    if constexpr (share == Share::group) {
      Warpgroup::add_rows(p, s_.g[stage], dv_);
      Warpgroup::add_rows(d, s_.q[stage], dk_);
    } else {
      add_rows<D>(p, s_.g[stage], column, dv_);
      add_rows<D>(d, s_.q[stage], column, dk_);
    }
  }

  /// c = keys (or values) times queries (or dO) from `column` on, transposed
  static __device__ void multiply(const Bf16* keys, const Bf16* queries, int column, Scores& c) {
    clear(c);
    add_scores<D>(keys, warp_row(), queries, column, c);
  }

  __device__ void store() {
    const int column = kv_head_ * p_.dim;
    if constexpr (share == Share::queries) add_warps();
    if (share == Share::queries && warp() > 0) return;
    const RowsOut keys = to_.keys ? to_.keys.shifted(chunk_ * to_.chunk_elements) : to_.keys;
    const RowsOut values = to_.values ? to_.values.shifted(chunk_ * to_.chunk_elements) : to_.values;
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) dk_[m][n].x[i] = p_.scale * dk_[m][n].x[i] + (to_.joint ? dv_[m][n].x[i] : 0.0F);
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int r = row(m, half);
        if (r >= rows_) continue;
        if (keys) store_row(keys, first_row_ + r, column, p_.dim, dk_[m], half, 1.0F);
        if (values) store_row(values, first_row_ + r, column, p_.dim, dv_[m], half, 1.0F);
      }
    }
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

  const AttentionGradients& given_;
  const KeyGradients& to_;
  int segment_, kv_head_;
  std::int32_t chunk_;
  int key_;  ///< number of the first key in its segment
  bool is_narrow_;
  typename SharedRows<D>::template Copy<kQueries, kBlockThreads> copy_q_, copy_g_;
  Sum dk_[M][D / 8], dv_[M][D / 8];
};

template <int D, int M, Share share, Extras extras>
__global__ void __launch_bounds__(kBlockThreads, (share == Share::group && extras == Extras::none ? 3 : 2))
    key_gradients_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                         const __grid_constant__ KeyGradients to) {
  using Block = KeyBlock<D, M, share, extras>;
  constexpr int kTileRows = Block::kKeys > 64 ? 128 : 64;
  constexpr int kParts = kTileRows / Block::kKeys;
  const Layout& layout = to.target.layout(p);
  const auto index = static_cast<std::int32_t>(blockIdx.x) / kParts;
  if (index >= (kTileRows == 64 ? layout.tile64_count : layout.tile128_count)) return;
  const Tile tile = (kTileRows == 64 ? layout.tiles64 : layout.tiles128)[index];
  const int first = static_cast<int>(blockIdx.x) % kParts * Block::kKeys;
  if (tile.first + first >= layout.offsets[tile.segment + 1]) return;
  Block(p, given, to, tile, first, static_cast<int>(blockIdx.y), static_cast<std::int32_t>(blockIdx.z),
        *shared_memory<typename Block::Shared>())
      .run();
}

template <int D, int M, Share share, Extras extras>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to) {
  using Block = KeyBlock<D, M, share, extras>;
  const std::int64_t blocks = Block::kKeys > 64 ? to.tiles128 : to.tiles64 * (64 / Block::kKeys);
  launch_blocks("attention_grad: dk, dv", key_gradients_kernel<D, M, share, extras>,
                dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(p.kv_heads), static_cast<unsigned>(to.target.chunks)),
                kBlockThreads, sizeof(typename Block::Shared), grid.queue, p, given, to);
}

}  // namespace

void key_gradients(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to) {
  with_extras(p, [&]<Extras extras>() {
    constexpr Extras kExtras = none_or_all(extras);
    const bool few = to.average_keys <= 32;
    if (p.dim > 64) {
      few ? launch<128, 1, Share::queries, kExtras>(grid, p, given, to) : launch<128, 1, Share::keys, kExtras>(grid, p, given, to);
    } else if (few) {
      launch<64, 1, Share::queries, kExtras>(grid, p, given, to);
    } else if (grid.queue.has_warpgroups) {
      launch<64, 1, Share::group, extras>(grid, p, given, to);
    } else if (to.average_keys <= 64) {
      launch<64, 1, Share::keys, kExtras>(grid, p, given, to);
    } else {
      launch<64, 2, Share::keys, kExtras>(grid, p, given, to);
    }
  });
}

}  // namespace preamble::cuda::tensor
