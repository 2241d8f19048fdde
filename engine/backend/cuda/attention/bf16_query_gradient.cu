#include "engine/backend/cuda/attention/bf16_queries.cuh"
#include "engine/backend/cuda/attention/bf16_query_groups.cuh"
#include "engine/backend/cuda/attention/bf16_tile_stores.cuh"
#include "engine/backend/cuda/attention/launch.cuh"

namespace preamble::cuda::tensor {
namespace {

/// What a block makes of P and dP: D = Σ P ∘ dP, dQ of a D that is known, or both at once.
enum class Purpose : std::uint8_t { products, gradient, both };

template <class Block, int D, int Keys>
struct GradientShared {
  Bf16 q[Block::kRows * D];
  Bf16 g[Block::kRows * D];
  KeyTiles<D, Keys, 2> keys;
  typename Block::Shared block;
};

/// What a thread knows of its queries' scores, and sums over keys.
template <class Scores, int M, Purpose purpose>
class RowSums {
 public:
  __device__ RowSums() = default;
  /// Of rows [first, first + rows) of a head. What is known of row r lies at r · `pitch`.
  __device__ RowSums(std::int64_t first, int rows, int head, const float* log_sum_exp, const float* products, int pitch)
      : first_(first), rows_(rows), head_(head) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int i = Scores::row(m, half);
        const bool exists = i < rows;
        log_sum_exp_[m][half] = exists ? kLog2E * log_sum_exp[i * pitch] : 0.0F;
        if (purpose == Purpose::gradient && exists) mean_[m][half] = products[i * pitch];
      }
    }
  }

  /// Scores become P.
  template <int N>
  __device__ void make_probabilities(float factor, Sum (&c)[M][N]) const {
    Scores::for_scores(c, [&](int m, int half, int, float& x) { x = exp2_fast(x * factor - log_sum_exp_[m][half]); });
  }
  /// dP becomes dS / scale, or is added up with P; of both, it becomes P ∘ dP.
  template <int N>
  __device__ void take(const Sum (&p)[M][N], Sum (&d)[M][N]) {
    take_with(d, [&](int m, int n, int i) { return p[m][n].x[i]; });
  }
  /// The same: p(m, n, i) are elements of P.
  template <int N, class Probability>
  __device__ void take_with(Sum (&d)[M][N], const Probability& p) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if constexpr (purpose == Purpose::gradient) {
            d[m][n].x[i] = p(m, n, i) * (d[m][n].x[i] - mean_[m][i / 2]);
          } else {
            const float product = p(m, n, i) * d[m][n].x[i];
            products_[m][i / 2] += product;
            if constexpr (purpose == Purpose::both) d[m][n].x[i] = product;
          }
        }
      }
    }
  }

  /// dQ / scale = Σ (P ∘ dP) K - D Σ P K, of the sums of both.
  template <int N>
  __device__ void join(Sum (&sums)[M][N], const Sum (&keys)[M][N]) const {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float product = sum_over_row(products_[m][half]);
#pragma unroll
        for (int n = 0; n < N; ++n) {
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; ++i) sums[m][n].x[i] -= product * keys[m][n].x[i];
        }
      }
    }
  }
  /// Writes D.
  __device__ void store_products(const AttentionProblem& p, float* products) const {
    if constexpr (purpose != Purpose::gradient) {
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const float product = sum_over_row(products_[m][half]);
          const int i = Scores::row(m, half);
          if (i < rows_ && lane() % 4 == 0) products[(first_ + i) * p.heads + head_] = product;
        }
      }
    }
  }
  /// Writes dQ, of sums dQ / scale, and D, what of them the purpose makes.
  template <int N>
  __device__ void store(const AttentionProblem& p, float* products, const RowsOut& dq, const Sum (&sums)[M][N]) const {
    store_products(p, products);
    if constexpr (purpose != Purpose::products) {
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int i = Scores::row(m, half);
          if (i < rows_) store_row(dq, first_ + i, head_ * p.dim, p.dim, sums[m], half, p.scale);
        }
      }
    }
  }

 private:
  std::int64_t first_ = 0;
  int rows_ = 0, head_ = 0;
  float log_sum_exp_[M][2];
  float mean_[M][2] = {};
  float products_[M][2] = {};
};

/// A block owns some queries of a segment and one head, a warp 16 M of them: their dQ, or Σ P ∘ dP over all keys. Queries and dO lie in
/// shared memory, and `Keys` keys and values at a time while the next ones are copied; P, dP and sums stay in registers.
template <int D, int M, int Keys, Extras extras, Purpose purpose>
__global__ void __launch_bounds__(kBlockThreads, 2)
    query_gradient_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                          const __grid_constant__ RowsOut dq) {
  using Block = QueryBlock<D, M, Keys, extras>;
  Tile tile;
  if (!find_tile<Block::kRows>(*p.q_layout, blockIdx.x, tile)) return;
  auto& s = *shared_memory<GradientShared<Block, D, Keys>>();
  const auto head = static_cast<int>(blockIdx.y);
  const Block block(p, tile, head, s.keys, s.block, {p.q, given.output_gradient}, {s.q, s.g});
  const std::int64_t at = block.first() * p.heads + head;
  RowSums<Block, M, purpose> rows(block.first(), block.rows(), head, given.log_sum_exp + at, given.products + at, p.heads);
  Sum sums[M][D / 8];
  clear(sums);
  const float factor = block.factor();
  block.for_keys([&](int from, int stage) {
    Sum c[M][Keys / 8];
    Sum d[M][Keys / 8];
    Block::multiply(s.q, s.keys.k[stage], c);
    Block::multiply(s.g, s.keys.v[stage], d);
    block.finish_scores(from, stage, c);
    rows.make_probabilities(factor, c);
    if constexpr (extras == Extras::all) {
      if (p.mask) block.drop(from, d);
    }
    rows.take(c, d);
    if constexpr (purpose == Purpose::gradient) add_rows<D>(d, s.keys.k[stage], 0, sums);
  });
  rows.store(p, given.products, dq, sums);
}

/// What a warpgroup makes of the keys of an item. Sums of a tile are still being added to when the next one is begun.
template <Extras extras, Purpose purpose>
class GradientWork {
 public:
  using Groups = QueryGroups<2, extras>;
  using Group = typename Groups::Group;

  __device__ GradientWork(const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq, int index, typename Groups::Shared& s)
      : p_(p), given_(given), dq_(dq), s_(s), index_(index) {}

  __device__ void begin(const Group& group) {
    clear(sums_);
    if constexpr (purpose == Purpose::both) clear(keys_);
    // nothing stands before the first tile: no weights of the tile itself
    Sum none[1][Groups::kKeys / 8];
    clear(none);
    weights_ = Weights(none);
    before_ = kNone;
    first_ = group.first(), row_count_ = group.rows(), head_ = group.head();
    rows_ = {group.first(), group.rows(), group.head(), group.log_sum_exp(), group.products(), 1};
  }
  __device__ void take(const Group& group, int from, int stage) {
    if constexpr (purpose == Purpose::both) {
      take_both(group, from, stage);
    } else {
      take_one(group, from, stage);
    }
  }
  __device__ void end(Bf16* tile) {
    if constexpr (purpose == Purpose::both) {
      end_last();
      rows_.join(sums_, keys_);
    } else if (purpose == Purpose::gradient && before_ != kNone) {
      Warpgroup::begin_rows(weights_, s_.keys.k[before_], sums_);
      end_last();
    }
    rows_.store_products(p_, given_.products);
    if constexpr (purpose != Purpose::products) {
      // other warps may still multiply rows of the tile
      wait_for_warpgroup(index_);
      const float factor[2] = {p_.scale, p_.scale};
      store_tile(dq_, first_, row_count_, head_ * p_.dim, p_.dim, sums_[0], factor, tile);
    }
  }

 private:
  using Scores = Sum[1][Groups::kKeys / 8];
  static constexpr int kNone = -1;

  /// dQ of the tile before this one is added up while this one's scores become P.
  __device__ void take_one(const Group& group, int from, int stage) {
    Scores c;
    Scores d;
    Warpgroup::begin_scores(group.operand(0), s_.keys.k[stage], c);
    Warpgroup::begin_scores(group.operand(1), s_.keys.v[stage], d);
    constexpr int kBegun = purpose == Purpose::gradient ? 1 : 0;
    if constexpr (purpose == Purpose::gradient) Warpgroup::begin_rows(weights_, s_.keys.k[before_ == kNone ? stage : before_], sums_);
    Warpgroup::wait<kBegun + 1>(c);
    group.finish_scores(from, stage, c);
    rows_.make_probabilities(group.factor(), c);
    Warpgroup::wait_behind<kBegun>(p_.heads > 0, c, d);
    if constexpr (extras == Extras::all) {
      if (p_.mask) group.drop(from, d);
    }
    rows_.take(c, d);
    if constexpr (purpose == Purpose::gradient) {
      Warpgroup::wait_behind<0>(p_.heads > 0, d, sums_);
      end_last();
      weights_ = Weights(d);
      before_ = stage;
    } else {
      s_.barriers.release(stage);
    }
  }
  /// Two sums leave no registers for that, and none for P beside dP, but as bf16: the sums are waited for when the next tile comes.
  __device__ void take_both(const Group& group, int from, int stage) {
    end_last();
    Scores c;
    Warpgroup::begin_scores(group.operand(0), s_.keys.k[stage], c);
    Warpgroup::wait<0>(c);
    group.finish_scores(from, stage, c);
    rows_.make_probabilities(group.factor(), c);
    probabilities_ = Weights(c);
    Scores d;
    Warpgroup::begin_scores(group.operand(1), s_.keys.v[stage], d);
    Warpgroup::wait<0>(d);
    if constexpr (extras == Extras::all) {
      if (p_.mask) group.drop(from, d);
    }
    rows_.take_with(d, [&](int, int n, int i) { return probabilities_.at(n, i); });
    weights_ = Weights(d);
    Warpgroup::begin_rows(probabilities_, s_.keys.k[stage], keys_);
    Warpgroup::begin_rows(weights_, s_.keys.k[stage], sums_);
    before_ = stage;
  }
  /// Waits for the sums of the tile before.
  __device__ void end_last() {
    Warpgroup::wait(weights_, sums_);
    if constexpr (purpose == Purpose::both) Warpgroup::wait(probabilities_, keys_);
    if (before_ != kNone) s_.barriers.release(before_);
    before_ = kNone;
  }

  const AttentionProblem& p_;
  const AttentionGradients& given_;
  const RowsOut& dq_;
  typename Groups::Shared& s_;
  int index_;
  int before_ = kNone;  ///< stage of the tile whose sums are not made, or not waited for
  std::int64_t first_ = 0;
  int row_count_ = 0, head_ = 0;
  Weights weights_, probabilities_;
  Sum sums_[1][Groups::kColumns / 8];
  Sum keys_[1][purpose == Purpose::both ? Groups::kColumns / 8 : 1];  ///< Σ P K
  RowSums<Group, 1, purpose> rows_;
};

/// The same by warpgroups, of 64 queries each.
template <Extras extras, Purpose purpose>
__global__ void __launch_bounds__(QueryGroups<2, extras>::Block::kThreads, 1)
    grouped_query_gradient_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                                  const __grid_constant__ RowsOut dq) {
  using Groups = QueryGroups<2, extras>;
  using Block = typename Groups::Block;
  auto& s = *shared_memory<typename Groups::Shared>();
  Groups::begin(s);
  if (const int index = warpgroup(); index < 0) {
    give_up_registers<Block::kCopyingRegisters>();
    const float* const products = purpose == Purpose::gradient ? given.products : nullptr;
    Groups::copy(p, 1 + static_cast<int>(purpose), {p.q, given.output_gradient}, given.log_sum_exp, products, s);
  } else {
    take_registers<Block::kMultiplyingRegisters>();
    GradientWork<extras, purpose> work(p, given, dq, index, s);
    Groups::multiply(p, index, s, work);
  }
}

constexpr const char* name_of(Purpose purpose) noexcept {
  if (purpose == Purpose::both) return "attention_grad: dq and products";
  return purpose == Purpose::gradient ? "attention_grad: dq" : "attention_grad: products";
}

template <int D, int M, int Keys, Extras extras, Purpose purpose>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq) {
  using Block = QueryBlock<D, M, Keys, extras>;
  launch_blocks(name_of(purpose), query_gradient_kernel<D, M, Keys, extras, purpose>, grid.queries(Block::kRows, p.heads), kBlockThreads,
                sizeof(GradientShared<Block, D, Keys>), grid.queue, p, given, dq);
}

template <Extras extras, Purpose purpose>
void launch_groups(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq) {
  using Groups = QueryGroups<2, extras>;
  using Block = typename Groups::Block;
  launch_blocks(name_of(purpose), grouped_query_gradient_kernel<extras, purpose>,
                Block::blocks(grid.queue, grid.q.tiles(Block::kRows) * p.heads), Block::kThreads, sizeof(typename Groups::Shared), grid.queue, p,
                given, dq);
}

template <Purpose purpose>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq) {
  with_extras(p, [&]<Extras extras>() {
    constexpr Extras kExtras = none_or_all(extras);
    if (p.dim > 64) return launch<128, 1, 32, kExtras, purpose>(grid, p, given, dq);
    if (suits_warpgroups(p, grid.queue)) return launch_groups<extras, purpose>(grid, p, given, dq);
    has_long_queries(grid) ? launch<64, 2, 64, kExtras, purpose>(grid, p, given, dq) : launch<64, 1, 64, kExtras, purpose>(grid, p, given, dq);
  });
}

}  // namespace

void products(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given) {
  launch<Purpose::products>(grid, p, given, {});
}

void query_gradient(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq) {
  launch<Purpose::gradient>(grid, p, given, dq);
}

bool makes_both(const AttentionGrid& grid, const AttentionProblem& p) { return suits_warpgroups(p, grid.queue); }

void query_gradient_and_products(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq) {
  with_extras(p, [&]<Extras extras>() { launch_groups<extras, Purpose::both>(grid, p, given, dq); });
}

}  // namespace preamble::cuda::tensor
