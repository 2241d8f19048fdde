#include "engine/backend/cuda/attention/bf16_tile.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"

namespace preamble::cuda::tensor {
namespace {

/// Queries of a tile; 16 of them for each warp where warps share the keys.
constexpr int kQueries = 64;

/// How the warps of a block share its work.
enum class Share : std::uint8_t {
  keys,     ///< each has keys of its own, and all queries
  queries,  ///< each has a quarter of the queries, and all keys: for few keys
};

template <int D, int Keys>
struct KeyShared {
  Bf16 k[Keys * D];
  Bf16 v[Keys * D];
  Bf16 q[2][kQueries * D];
  Bf16 g[2][kQueries * D];
  float log_sum_exp[2][kQueries];  ///< · log2(e)
  float mean[2][kQueries];
  std::int32_t position[2][kQueries], seen[2][kQueries];
};

/// One head of one tile of queries in front of a block's keys.
struct Step {
  QueryTile queries;
  int head;
  int first;                 ///< number of the block's first key among the keys of the segment
  int all_see;               ///< keys that every query sees
  int position[2], seen[2];  ///< of queries l and l + 32 of lane l
  int nearest, farthest;     ///< smallest and largest position
};

/// The steps of a block, those left out in which no query sees a key.
class Steps {
 public:
  __device__ Steps(const AttentionProblem& problem, const KeyTarget& target, const Tile& keys, int key, int kv_head, std::int32_t chunk)
      : p_(problem), prefix_(target.prefix), key_(key), first_head_(kv_head * problem.group), walk_(problem, target, keys.segment, chunk) {}

  __device__ bool next(Step& step) {
    if (step.head + 1 < first_head_ + p_.group) {
      ++step.head;
      return true;
    }
    while (walk_.next(step.queries)) {
      const SegmentKeys keys = p_.keys(step.queries.segment);
      step.first = prefix_ ? key_ : keys.prefixes + key_;
      std::int32_t low = INT_MAX, high = 0, nearest = INT_MAX, farthest = INT_MIN;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int r = lane() + 32 * i;
        step.position[i] = 0, step.seen[i] = INT_MAX;
        if (r >= step.queries.rows) continue;
        step.position[i] = p_.q_layout->positions[step.queries.first + r];
        step.seen[i] = keys.prefixes + p_.visible(keys, step.position[i]);
        low = min(low, step.seen[i]), high = max(high, step.seen[i]);
        nearest = min(nearest, step.position[i]), farthest = max(farthest, step.position[i]);
      }
      if (__reduce_max_sync(~0U, high) <= step.first) continue;
      step.all_see = __reduce_min_sync(~0U, low);
      step.nearest = __reduce_min_sync(~0U, nearest);
      step.farthest = __reduce_max_sync(~0U, farthest);
      step.head = first_head_;
      return true;
    }
    return false;
  }
  /// Stands in front of the first step.
  [[nodiscard]] __device__ Step begin() const { return {{0, 0, 0}, INT_MAX - 1, 0, 0, {0, 0}, {0, 0}, 0, 0}; }

 private:
  const AttentionProblem& p_;
  bool prefix_;
  int key_, first_head_;
  QueryWalk walk_;
};

/// A block owns the keys of a tile, one key/value head and a chunk of the queries: dK and dV, which stay in registers as do P and dP, all
/// of them transposed. Keys and values lie in shared memory, and 64 queries and rows of dO at a time while the next ones are copied.
template <int D, int M, Share share, bool Extras>
class KeyBlock {
 public:
  static constexpr int kKeys = share == Share::keys ? 16 * M * kWarps : 16 * M;
  /// Queries that a warp takes at a time.
  static constexpr int kColumns = share == Share::keys ? 32 : kQueries / kWarps;
  using Shared = KeyShared<D, kKeys>;

  __device__ KeyBlock(const AttentionProblem& problem, const AttentionGradients& given, const KeyGradients& to, const Tile& tile, int first,
                      int kv_head, std::int32_t chunk, Shared& shared)
      : p_(problem),
        given_(given),
        to_(to),
        segment_(tile.segment),
        first_row_(tile.first + first),
        rows_(min(kKeys, to.target.layout(problem).offsets[tile.segment + 1] - first_row_)),
        kv_head_(kv_head),
        chunk_(chunk),
        key_(first_row_ - to.target.layout(problem).offsets[tile.segment]),
        s_(shared) {
    clear(dk_);
    clear(dv_);
  }

  __device__ void run() {
    const RowsIn k = RowsIn::pick(to_.target.prefix, p_.prefix_k, p_.k);
    const RowsIn v = RowsIn::pick(to_.target.prefix, p_.prefix_v, p_.v);
    SharedRows<D>::template fill<kKeys>(s_.k, kv_head_ * p_.dim, p_.dim, [&](int r) { return Source{k, r < rows_ ? first_row_ + r : -1}; });
    SharedRows<D>::template fill<kKeys>(s_.v, kv_head_ * p_.dim, p_.dim, [&](int r) { return Source{v, r < rows_ ? first_row_ + r : -1}; });
    Steps steps(p_, to_.target, Tile{segment_, first_row_}, key_, kv_head_, chunk_);
    Step next = steps.begin();
    bool more = steps.next(next);
    if (more) fetch(next, 0);
    commit_copies();
    int stage = 0;
    while (more) {
      const Step now = next;
      more = steps.next(next);
      if (more) fetch(next, stage ^ 1);
      commit_copies();
      wait_copies<1>();
      __syncthreads();
      if constexpr (share == Share::keys) {
#pragma unroll
        for (int column = 0; column < kQueries; column += kColumns) {
          if (column < now.queries.rows && warp() * 16 * M < rows_) add(now, stage, column);
        }
      } else {
        add(now, stage, warp() * kColumns);
      }
      __syncthreads();
      stage ^= 1;
    }
    wait_copies<0>();
    store();
  }

 private:
  using Scores = Sum[M][kColumns / 8];

  [[nodiscard]] static __device__ int warp_row() { return share == Share::keys ? warp() * 16 * M : 0; }
  /// Row of the tile of keys that a thread's sums belong to.
  [[nodiscard]] static __device__ int row(int m, int half) { return warp_row() + 16 * m + 8 * half + sum_row(); }

  __device__ void fetch(const Step& step, int stage) const {
    const QueryTile& queries = step.queries;
    const auto find = [&](const RowsIn& x) { return [&](int r) { return Source{x, r < queries.rows ? queries.first + r : -1}; }; };
    SharedRows<D>::template fill<kQueries>(s_.q[stage], step.head * p_.dim, p_.dim, find(p_.q));
    SharedRows<D>::template fill<kQueries>(s_.g[stage], step.head * p_.dim, p_.dim, find(given_.output_gradient));
    if (warp() >= 2) return;
    const int r = lane() + 32 * warp();
    const bool exists = r < queries.rows;
    const std::int64_t at = std::int64_t{queries.first + r} * p_.heads + step.head;
    // 2^-inf: rows that do not exist have no probabilities
    s_.log_sum_exp[stage][r] = exists ? kLog2E * given_.log_sum_exp[at] : INFINITY;
    s_.mean[stage][r] = exists ? given_.products[at] : 0.0F;
    s_.position[stage][r] = warp() == 0 ? step.position[0] : step.position[1];
    s_.seen[stage][r] = warp() == 0 ? step.seen[0] : step.seen[1];
  }

  /// Calls body(m, half, query, element) for a thread's elements, queries from `column` on.
  template <class Body>
  static __device__ void for_elements(Scores& c, int column, const Body& body) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) body(m, i / 2, column + 8 * n + sum_column() + i % 2, c[m][n].x[i]);
      }
    }
  }

  /// Adds what queries [column, column + kColumns) of a step contribute.
  __device__ void add(const Step& step, int stage, int column) {
    Scores p;
    Scores d;
    clear(p);
    add_scores<D>(s_.k, warp_row(), s_.q[stage], column, p);
    const float scale = p_.scale * kLog2E;
    if constexpr (Extras) {
      for_elements(p, column, [&](int, int, int, float& x) { x *= scale; });
      if (p_.bias != nullptr) add_bias(step, stage, column, p);
      for_elements(p, column, [&](int, int, int i, float& x) { x = exp2_fast(x - s_.log_sum_exp[stage][i]); });
    } else {
      for_elements(p, column, [&](int, int, int i, float& x) { x = exp2_fast(x * scale - s_.log_sum_exp[stage][i]); });
    }
    if (step.first + rows_ > step.all_see) {
      for_elements(p, column, [&](int m, int half, int i, float& x) {
        if (step.first + row(m, half) >= s_.seen[stage][i]) x = 0;
      });
    }
    clear(d);
    add_scores<D>(s_.v, warp_row(), s_.g[stage], column, d);
    if (Extras && p_.mask) {
      apply_dropout(step, stage, column, p, d);
    } else {
      for_elements(d, column, [&](int, int, int i, float& y) { y -= s_.mean[stage][i]; });
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) d[m][n].x[i] *= p[m][n].x[i];
        }
      }
    }
    add_rows<D>(p, s_.g[stage], column, dv_);
    add_rows<D>(d, s_.q[stage], column, dk_);
  }

  /// P becomes M ∘ P, dO Vᵀ becomes dS.
  __device__ void apply_dropout(const Step& step, int stage, int column, Scores& p, Scores& d) const {
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int i = column + 8 * n + sum_column() + e % 2;
        const auto place = static_cast<std::uint32_t>(s_.position[stage][i] * p_.heads + step.head);
        uint4 words = {};
#pragma unroll
        for (int m = 0; m < M; ++m) {
          const auto j = static_cast<std::uint32_t>(step.first + row(m, e / 2));
          // sixteen keys further on: the same words, unless a multiple of 128 lies between
          if (m == 0 || j % 128 < 16) words = p_.mask.words(step.queries.segment, place, j);
          const float factor = p_.mask.keeps(words, j) ? p_.mask.scale() : 0.0F;
          float& x = p[m][n].x[e];
          float& y = d[m][n].x[e];
          y = x * (y * factor - s_.mean[stage][i]);
          x *= factor;
        }
      }
    }
  }

  __device__ void add_bias(const Step& step, int stage, int column, Scores& p) const {
    const float* bias = p_.bias + std::int64_t{step.head} * (2 * p_.reach + 1);
    if (!to_.target.prefix) {
      // far keys share a bias
      const std::int32_t* places = p_.k_layout->positions + first_row_;
      const bool behind = places[rows_ - 1] - step.nearest <= -p_.reach;
      const bool ahead = places[0] - step.farthest >= p_.reach;
      if (behind || ahead) {
        const float far = kLog2E * bias[ahead ? 2 * p_.reach : 0];
        for_elements(p, column, [&](int, int, int, float& x) { x += far; });
        return;
      }
    }
    std::int32_t place[M][2];
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int r = row(m, half);
        place[m][half] = p_.kNoPlace;
        if (r >= rows_) continue;
        if (!to_.target.prefix) {
          place[m][half] = p_.k_layout->positions[first_row_ + r];
        } else if (p_.prefix_has_positions) {
          place[m][half] = step.first + r - p_.keys(step.queries.segment).prefixes;
        }
      }
    }
    for_elements(p, column, [&](int m, int half, int i, float& x) {
      if (place[m][half] != p_.kNoPlace) x += kLog2E * bias[p_.distance(place[m][half], s_.position[stage][i])];
    });
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

  const AttentionProblem& p_;
  const AttentionGradients& given_;
  const KeyGradients& to_;
  int segment_, first_row_, rows_, kv_head_;
  std::int32_t chunk_;
  int key_;  ///< number of the first key in its segment
  Shared& s_;
  Sum dk_[M][D / 8], dv_[M][D / 8];
};

template <int D, int M, Share share, bool Extras>
__global__ void __launch_bounds__(kBlockThreads, 2)
    key_gradients_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                         const __grid_constant__ KeyGradients to) {
  using Block = KeyBlock<D, M, share, Extras>;
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

template <int D, int M, Share share, bool Extras>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to) {
  using Block = KeyBlock<D, M, share, Extras>;
  const std::int64_t blocks = Block::kKeys > 64 ? to.tiles128 : to.tiles64 * (64 / Block::kKeys);
  launch_blocks("attention_grad: dk, dv", key_gradients_kernel<D, M, share, Extras>,
                dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(p.kv_heads), static_cast<unsigned>(to.target.chunks)),
                kBlockThreads, sizeof(typename Block::Shared), grid.queue, p, given, to);
}

template <bool Extras>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to) {
  const bool few = to.average_keys <= 32;
  if (p.dim > 64) {
    few ? launch<128, 1, Share::queries, Extras>(grid, p, given, to) : launch<128, 1, Share::keys, Extras>(grid, p, given, to);
  } else if (few) {
    launch<64, 1, Share::queries, Extras>(grid, p, given, to);
  } else if (to.average_keys <= 64) {
    launch<64, 1, Share::keys, Extras>(grid, p, given, to);
  } else {
    launch<64, 2, Share::keys, Extras>(grid, p, given, to);
  }
}

}  // namespace

void key_gradients(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to) {
  p.bias != nullptr || p.mask ? launch<true>(grid, p, given, to) : launch<false>(grid, p, given, to);
}

}  // namespace preamble::cuda::tensor
