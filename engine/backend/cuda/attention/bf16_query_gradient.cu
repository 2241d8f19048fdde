#include "engine/backend/cuda/attention/bf16_queries.cuh"
#include "engine/backend/cuda/attention/bf16_query_groups.cuh"
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
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if constexpr (purpose == Purpose::gradient) {
            d[m][n].x[i] = p[m][n].x[i] * (d[m][n].x[i] - mean_[m][i / 2]);
          } else {
            const float product = p[m][n].x[i] * d[m][n].x[i];
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
  /// Writes dQ, of sums dQ / scale, and D, what of them the purpose makes.
  template <int N>
  __device__ void store(const AttentionProblem& p, float* products, const RowsOut& dq, const Sum (&sums)[M][N]) const {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float product = sum_over_row(products_[m][half]);
        const int i = Scores::row(m, half);
        if (i >= rows_) continue;
        if constexpr (purpose != Purpose::products) store_row(dq, first_ + i, head_ * p.dim, p.dim, sums[m], half, p.scale);
        if constexpr (purpose != Purpose::gradient) {
          if (lane() % 4 == 0) products[(first_ + i) * p.heads + head_] = product;
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

/// What a warpgroup makes of the keys of an item.
template <Extras extras, Purpose purpose>
class GradientWork {
 public:
  using Groups = QueryGroups<2, extras>;
  using Group = typename Groups::Group;

  __device__ GradientWork(const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq, typename Groups::Shared& s)
      : p_(p), given_(given), dq_(dq), s_(s) {}

  __device__ void begin(const Group& group) {
    clear(sums_);
    if constexpr (purpose == Purpose::both) clear(keys_);
    rows_ = {group.first(), group.rows(), group.head(), group.log_sum_exp(), group.products(), 1};
  }
  __device__ void take(const Group& group, int from, int stage) {
    Sum c[1][Groups::kKeys / 8];
    Sum d[1][Groups::kKeys / 8];
    Warpgroup::begin_scores(group.operand(0), s_.keys.k[stage], c);
    Warpgroup::begin_scores(group.operand(1), s_.keys.v[stage], d);
    Warpgroup::wait<1>(c);
    group.finish_scores(from, stage, c);
    rows_.make_probabilities(group.factor(), c);
    Warpgroup::wait<0>(d);
    if constexpr (extras == Extras::all) {
      if (p_.mask) group.drop(from, d);
    }
    rows_.take(c, d);
    if constexpr (purpose == Purpose::gradient) {
      Weights weights(d);
      Warpgroup::begin_rows(weights, s_.keys.k[stage], sums_);
      Warpgroup::wait(weights, sums_);
    } else if constexpr (purpose == Purpose::both) {
      Weights weights(d);
      Weights probabilities(c);
      Warpgroup::begin_rows(weights, s_.keys.k[stage], sums_);
      Warpgroup::begin_rows(probabilities, s_.keys.k[stage], keys_);
      Warpgroup::wait(weights, sums_);
      Warpgroup::wait(probabilities, keys_);
    }
  }
  __device__ void end() {
    if constexpr (purpose == Purpose::both) rows_.join(sums_, keys_);
    rows_.store(p_, given_.products, dq_, sums_);
  }

 private:
  const AttentionProblem& p_;
  const AttentionGradients& given_;
  const RowsOut& dq_;
  typename Groups::Shared& s_;
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
    Groups::copy(p, {p.q, given.output_gradient}, given.log_sum_exp, purpose == Purpose::gradient ? given.products : nullptr, s);
  } else {
    take_registers<Block::kMultiplyingRegisters>();
    GradientWork<extras, purpose> work(p, given, dq, s);
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
