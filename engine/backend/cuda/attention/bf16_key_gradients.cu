#include "engine/backend/cuda/attention/bf16_biases.cuh"
#include "engine/backend/cuda/attention/bf16_key_steps.cuh"
#include "engine/backend/cuda/attention/bf16_products.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/warpgroup.cuh"

namespace preamble::cuda::tensor {
namespace {

/// How the warps of a block share its work.
enum class Share : std::uint8_t {
  keys,     ///< each has keys of its own, and all queries
  group,    ///< the same, and the four multiply as a warpgroup
  queries,  ///< each has a quarter of the queries, and all keys: for few keys
};

template <int M, int N>
__device__ void copy_sums(const Sum (&from)[M][N], Sum (&to)[M][N]) {
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < N; ++n) to[m][n] = from[m][n];
  }
}

/// Makes products to scores · log2(e) with biases, for keys and queries that stand anywhere: rare, and not to take registers from what is frequent. `positions`: of the queries, from
/// the thread's first column on.
template <int M, int N>
__device__ __noinline__ void add_biases_one_by_one(Sum (&c)[M][N], const std::int32_t (&key_position)[M][2], const std::int32_t* positions, const float* bias,
                                                   int reach, float scale) {
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) {
      for (int i = 0; i < 4; ++i) {
        const std::int32_t key = key_position[m][i / 2];
        const std::int32_t distance = min(max(key - positions[8 * n + i % 2], -reach), reach) + reach;
        c[m][n].x[i] = c[m][n].x[i] * scale + (key == AttentionProblem::kNoPosition ? 0.0F : kLog2E * bias[distance]);
      }
    }
  }
}

template <int D, int Keys, Extras extras>
struct KeyShared {
  Bf16 k[Keys * D];
  Bf16 v[Keys * D];
  Bf16 q[2][kQueries * D];
  Bf16 g[2][kQueries * D];
  Visibility tile[2];  ///< of the queries
  std::int32_t segment[2], head[2];
  float2 statistics[2][kQueries / 2][2];  ///< of two queries each: log_sum_exp, then Σ P ∘ dP
  std::int32_t seen[2][kQueries];
  std::int32_t position[2][extras != Extras::none ? kQueries : 1], hidden[2][extras == Extras::all ? kQueries : 1];  ///< these where there are biases, dropout, a window
  float bias[extras != Extras::none ? kSharedBiases : 1];
};

/// A block owns the keys of a tile, one key/value head and a chunk of the queries: dK and dV, which stay in registers as do P and dP, all
/// of them transposed. Keys and values lie in shared memory, and 64 queries and rows of dO at a time while the next ones are copied.
template <int D, int M, Share share, Extras extras>
class KeyBlock {
 public:
  static constexpr int kKeys = share == Share::queries ? 16 * M : 16 * M * kWarps;
  /// Queries that a warp takes at a time.
  static constexpr int kColumns = share == Share::group ? kQueries : share == Share::keys ? 32 : kQueries / kWarps;
  static_assert(share != Share::group || (D == 64 && M == 1));
  using Shared = KeyShared<D, kKeys, extras>;
  static constexpr bool kExtras = extras != Extras::none, kAll = extras == Extras::all;

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
      if (bias_is_shared()) share_biases<kBlockThreads>(p_, kv_head_, s_.bias);
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
  using Scores = Sum[M][kColumns / 8];

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

  [[nodiscard]] static __device__ int warp_row() { return share == Share::queries ? 0 : warp() * 16 * M; }
  /// Row of the tile of keys that a thread's sums belong to.
  [[nodiscard]] static __device__ int row(int m, int half) { return warp_row() + 16 * m + 8 * half + sum_row(); }

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

  /// Σ P ∘ dP (which = 1) or log_sum_exp (0) of a query of the tile.
  [[nodiscard]] __device__ float* statistic(int stage, int query, int which) const {
    return reinterpret_cast<float*>(&s_.statistics[stage][query / 2][which]) + query % 2;
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
    float scale = p_.scale * kLog2E;
    float far = 0;
    if constexpr (kExtras) {
      if (p_.bias != nullptr && !is_far(stage, far)) {
        add_bias(first, stage, column, scale, p);
        scale = 1;
      }
    }
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n) {
      float2 shift = pair_of(stage, column, n, 0);
      shift.x = far - kLog2E * shift.x, shift.y = far - kLog2E * shift.y;
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) p[m][n].x[i] = exp2_fast(p[m][n].x[i] * scale + (i % 2 == 0 ? shift.x : shift.y));
      }
    }
    if (first + rows_ > s_.tile[stage].all_see) {
      for_elements(p, column, [&](int m, int half, int i, float& x) {
        if (first + row(m, half) >= s_.seen[stage][i]) x = 0;
      });
    }
    if constexpr (kAll) {
      if (p_.window > 0) {
        for_elements(p, column, [&](int m, int half, int i, float& x) {
          if (first + row(m, half) < s_.hidden[stage][i]) x = 0;
        });
      }
    }
    if (kAll && p_.mask) {
      apply_dropout(first, stage, column, p, d);
    } else {
#pragma unroll
      for (int n = 0; n < kColumns / 8; ++n) {
        const float2 mean = pair_of(stage, column, n, 1);
#pragma unroll
        for (int m = 0; m < M; ++m) {
#pragma unroll
          for (int i = 0; i < 4; ++i) d[m][n].x[i] = p[m][n].x[i] * (d[m][n].x[i] - (i % 2 == 0 ? mean.x : mean.y));
        }
      }
    }
    if constexpr (share == Share::group) {
      Warpgroup::add_rows(p, s_.g[stage], dv_);
      Warpgroup::add_rows(d, s_.q[stage], dk_);
    } else {
      add_rows<D>(p, s_.g[stage], column, dv_);
      add_rows<D>(d, s_.q[stage], column, dk_);
    }
  }

  /// A statistic of the two queries that the thread's elements [m][n] belong to.
  [[nodiscard]] __device__ float2 pair_of(int stage, int column, int n, int which) const {
    return s_.statistics[stage][(column + 8 * n + sum_column()) / 2][which];
  }

  /// c = keys (or values) times queries (or dO) from `column` on, transposed
  static __device__ void multiply(const Bf16* keys, const Bf16* queries, int column, Scores& c) {
    clear(c);
    add_scores<D>(keys, warp_row(), queries, column, c);
  }

  /// P becomes M ∘ P, dO Vᵀ becomes dS.
  __device__ void apply_dropout(int first, int stage, int column, Scores& p, Scores& d) const {
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int i = column + 8 * n + sum_column() + e % 2;
        const auto query = static_cast<std::uint32_t>(s_.position[stage][i] * p_.heads + s_.head[stage]);
        uint4 words = {};
#pragma unroll
        for (int m = 0; m < M; ++m) {
          const auto j = static_cast<std::uint32_t>(first + row(m, e / 2));
          // sixteen keys further on: the same words, unless a multiple of 128 lies between
          if (m == 0 || j % 128 < 16) words = p_.mask.words(s_.segment[stage], query, j);
          const float factor = p_.mask.keeps(words, j) ? p_.mask.scale() : 0.0F;
          float& x = p[m][n].x[e];
          float& y = d[m][n].x[e];
          y = x * (y * factor - *statistic(stage, i, 1));
          x *= factor;
        }
      }
    }
  }

  [[nodiscard]] __device__ bool bias_is_shared() const { return p_.group == 1 && shares_biases(p_); }

  /// Are all keys so far from all queries that they share a bias? It is · log2(e).
  __device__ bool is_far(int stage, float& bias) const {
    const Visibility& tile = s_.tile[stage];
    if (to_.target.prefix || tile.straight == 0) return false;
    const bool behind = key_position_ + rows_ - 1 - tile.nearest <= -p_.reach, ahead = key_position_ - tile.farthest >= p_.reach;
    if (!behind && !ahead) return false;
    bias = far_bias(p_, s_.head[stage], s_.bias, bias_is_shared(), ahead);
    return true;
  }

  /// Products become scores · log2(e).
  __device__ void add_bias(int first, int stage, int column, float scale, Scores& p) const {
    const Visibility& tile = s_.tile[stage];
    if (bias_is_shared() && tile.straight != 0 && !to_.target.prefix) {
      // distances rise by one from key to key and fall from query to query, and the margins of the table spare the clamp
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int r = min(row(m, half), rows_ - 1);
          const float* biases = s_.bias + (key_position_ + r - (tile.nearest + column + sum_column()) + p_.reach + kBiasMargin);
#pragma unroll
          for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              float& x = p[m][n].x[2 * half + i];
              x = x * scale + biases[-(8 * n + i)];
            }
          }
        }
      }
      return;
    }
    std::int32_t key_position[M][2];
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int r = row(m, half);
        key_position[m][half] = p_.kNoPosition;
        if (r >= rows_) continue;
        if (!to_.target.prefix) {
          key_position[m][half] = p_.k_layout->positions[first_row_ + r];
        } else if (p_.prefix_has_positions) {
          key_position[m][half] = first + r - tile.prefixes;
        }
      }
    }
    // a copy, so that p may stay in registers
    Scores copy;
    copy_sums(p, copy);
    const std::int32_t* positions = s_.position[stage] + column + sum_column();
    add_biases_one_by_one(copy, key_position, positions, p_.bias + std::int64_t{s_.head[stage]} * (2 * p_.reach + 1), p_.reach, scale);
    copy_sums(copy, p);
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
  std::int32_t key_position_ = 0;  ///< of the first key, where there are biases
  Shared& s_;
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
