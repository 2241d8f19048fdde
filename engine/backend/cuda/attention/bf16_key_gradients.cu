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

template <int D, int Keys, bool Extras>
struct KeyShared {
  Bf16 k[Keys * D];
  Bf16 v[Keys * D];
  Bf16 q[2][kQueries * D];
  Bf16 g[2][kQueries * D];
  float log_sum_exp[2][kQueries];  ///< · log2(e)
  float mean[2][kQueries];
  std::int32_t position[2][kQueries], seen[2][kQueries];
  std::int32_t hidden[2][Extras ? kQueries : 1];  ///< where there is a window
  float bias[Extras ? kSharedDistances : 1];  ///< · log2(e), of the block's head
};

/// A block owns the keys of a tile, one key/value head and a chunk of the queries: dK and dV, which stay in registers as do P and dP, all
/// of them transposed. Keys and values lie in shared memory, and 64 queries and rows of dO at a time while the next ones are copied.
template <int D, int M, Share share, bool Extras>
class KeyBlock {
 public:
  static constexpr int kKeys = share == Share::queries ? 16 * M : 16 * M * kWarps;
  /// Queries that a warp takes at a time.
  static constexpr int kColumns = share == Share::group ? kQueries : share == Share::keys ? 32 : kQueries / kWarps;
  static_assert(share != Share::group || (D == 64 && M == 1));
  using Shared = KeyShared<D, kKeys, Extras>;

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
    if constexpr (Extras) {
      const int distances = 2 * p_.reach + 1;
      for (int i = static_cast<int>(threadIdx.x); bias_is_shared() && i < distances; i += kBlockThreads) {
        s_.bias[i] = kLog2E * p_.bias[std::int64_t{kv_head_} * distances + i];
      }
    }
    Steps steps(p_, to_.target, Tile{segment_, first_row_}, key_, rows_, kv_head_, chunk_);
    Step next = steps.begin();
    bool more = steps.next(next);
    if (more) fetch(next, 0);
    commit_copies();
    int stage = 0;
    while (more) {
      const Step now = next;
      wait_copies<0>();
      if constexpr (share == Share::group) publish_to_tensor_cores();
      // the queries before these have been read by all, too: the next ones may overwrite them
      __syncthreads();
      more = steps.next(next);
      if (more) fetch(next, stage ^ 1);
      commit_copies();
      if constexpr (share == Share::group) {
        add(now, stage, 0);
      } else if constexpr (share == Share::keys) {
#pragma unroll
        for (int column = 0; column < kQueries; column += kColumns) {
          if (column < now.queries.rows && warp() * 16 * M < rows_) add(now, stage, column);
        }
      } else {
        add(now, stage, warp() * kColumns);
      }
      stage ^= 1;
    }
    __syncthreads();
    wait_copies<0>();
    store();
  }

 private:
  using Scores = Sum[M][kColumns / 8];

  [[nodiscard]] static __device__ int warp_row() { return share == Share::queries ? 0 : warp() * 16 * M; }
  /// Row of the tile of keys that a thread's sums belong to.
  [[nodiscard]] static __device__ int row(int m, int half) { return warp_row() + 16 * m + 8 * half + sum_row(); }

  __device__ void fetch(const Step& step, int stage) const {
    const QueryTile& queries = step.queries;
    if (queries.rows == kQueries && p_.q.narrow && given_.output_gradient.narrow) {
      SharedRows<D>::template copy<kQueries>(s_.q[stage], step.head * p_.dim, p_.dim, p_.q, queries.first);
      SharedRows<D>::template copy<kQueries>(s_.g[stage], step.head * p_.dim, p_.dim, given_.output_gradient, queries.first);
    } else {
      const auto find = [&](const RowsIn& x) { return [&](int r) { return Source{x, r < queries.rows ? queries.first + r : -1}; }; };
      SharedRows<D>::template fill<kQueries>(s_.q[stage], step.head * p_.dim, p_.dim, find(p_.q));
      SharedRows<D>::template fill<kQueries>(s_.g[stage], step.head * p_.dim, p_.dim, find(given_.output_gradient));
    }
    if (warp() >= 2) return;
    const int r = lane() + 32 * warp();
    const bool exists = r < queries.rows;
    const std::int64_t at = std::int64_t{queries.first + r} * p_.heads + step.head;
    // 2^-inf: rows that do not exist have no probabilities
    s_.log_sum_exp[stage][r] = exists ? kLog2E * given_.log_sum_exp[at] : INFINITY;
    s_.mean[stage][r] = exists ? given_.products[at] : 0.0F;
    s_.position[stage][r] = warp() == 0 ? step.position[0] : step.position[1];
    s_.seen[stage][r] = warp() == 0 ? step.seen[0] : step.seen[1];
    if constexpr (Extras) {
      if (p_.window > 0) s_.hidden[stage][r] = warp() == 0 ? step.hidden[0] : step.hidden[1];
    }
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
    if constexpr (share == Share::group) {
      Warpgroup::two_scores(s_.k, s_.q[stage], p, s_.v, s_.g[stage], d);
    } else {
      multiply(s_.k, s_.q[stage], column, p);
      multiply(s_.v, s_.g[stage], column, d);
    }
    const float scale = p_.scale * kLog2E;
    if constexpr (Extras) {
      if (p_.bias != nullptr) {
        add_bias(step, stage, column, scale, p);
      } else {
        for_elements(p, column, [&](int, int, int, float& x) { x *= scale; });
      }
      for_elements(p, column, [&](int, int, int i, float& x) { x = exp2_fast(x - s_.log_sum_exp[stage][i]); });
    } else {
      for_elements(p, column, [&](int, int, int i, float& x) { x = exp2_fast(x * scale - s_.log_sum_exp[stage][i]); });
    }
    if (step.first + rows_ > step.all_see) {
      for_elements(p, column, [&](int m, int half, int i, float& x) {
        if (step.first + row(m, half) >= s_.seen[stage][i]) x = 0;
      });
    }
    if constexpr (Extras) {
      if (p_.window > 0) {
        for_elements(p, column, [&](int m, int half, int i, float& x) {
          if (step.first + row(m, half) < s_.hidden[stage][i]) x = 0;
        });
      }
    }
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

  /// P becomes M ∘ P, dO Vᵀ becomes dS.
  __device__ void apply_dropout(const Step& step, int stage, int column, Scores& p, Scores& d) const {
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int i = column + 8 * n + sum_column() + e % 2;
        const auto query = static_cast<std::uint32_t>(s_.position[stage][i] * p_.heads + step.head);
        uint4 words = {};
#pragma unroll
        for (int m = 0; m < M; ++m) {
          const auto j = static_cast<std::uint32_t>(step.first + row(m, e / 2));
          // sixteen keys further on: the same words, unless a multiple of 128 lies between
          if (m == 0 || j % 128 < 16) words = p_.mask.words(step.queries.segment, query, j);
          const float factor = p_.mask.keeps(words, j) ? p_.mask.scale() : 0.0F;
          float& x = p[m][n].x[e];
          float& y = d[m][n].x[e];
          y = x * (y * factor - s_.mean[stage][i]);
          x *= factor;
        }
      }
    }
  }

  [[nodiscard]] __device__ bool bias_is_shared() const {
    return p_.bias != nullptr && p_.group == 1 && 2 * p_.reach + 1 <= kSharedDistances;
  }

  __device__ void add_bias(const Step& step, int stage, int column, float scale, Scores& p) const {
    const float* bias = p_.bias + std::int64_t{step.head} * (2 * p_.reach + 1);
    if (!to_.target.prefix) {
      // far keys share a bias
      const std::int32_t* positions = p_.k_layout->positions + first_row_;
      const bool behind = positions[rows_ - 1] - step.nearest <= -p_.reach;
      const bool ahead = positions[0] - step.farthest >= p_.reach;
      if (behind || ahead) {
        const float far = kLog2E * bias[ahead ? 2 * p_.reach : 0];
        for_elements(p, column, [&](int, int, int, float& x) { x = x * scale + far; });
        return;
      }
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
          key_position[m][half] = step.first + r - p_.keys(step.queries.segment).prefixes;
        }
      }
    }
    if (bias_is_shared()) {
      for_elements(p, column, [&](int m, int half, int i, float& x) {
        x = x * scale + (key_position[m][half] != p_.kNoPosition ? s_.bias[p_.distance(key_position[m][half], s_.position[stage][i])] : 0.0F);
      });
      return;
    }
    for_elements(p, column, [&](int m, int half, int i, float& x) {
      x = x * scale + (key_position[m][half] != p_.kNoPosition ? kLog2E * bias[p_.distance(key_position[m][half], s_.position[stage][i])] : 0.0F);
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
__global__ void __launch_bounds__(kBlockThreads, (share == Share::group && !Extras ? 3 : 2))
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
  } else if (grid.queue.has_warpgroups) {
    launch<64, 1, Share::group, Extras>(grid, p, given, to);
  } else if (to.average_keys <= 64) {
    launch<64, 1, Share::keys, Extras>(grid, p, given, to);
  } else {
    launch<64, 2, Share::keys, Extras>(grid, p, given, to);
  }
}

}  // namespace

void key_gradients(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to) {
  p.bias != nullptr || p.mask || p.window > 0 ? launch<true>(grid, p, given, to) : launch<false>(grid, p, given, to);
}

}  // namespace preamble::cuda::tensor
