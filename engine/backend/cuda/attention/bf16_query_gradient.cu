#include "engine/backend/cuda/attention/bf16_queries.cuh"
#include "engine/backend/cuda/attention/launch.cuh"

namespace preamble::cuda::tensor {
namespace {

/// What a block makes of P and dP.
enum class Purpose : std::uint8_t { products, gradient };

template <class Block, int D, int Keys>
struct GradientShared {
  Bf16 q[Block::kRows * D];
  Bf16 g[Block::kRows * D];
  KeyTiles<D, Keys> keys;
  typename Block::Shared block;
};

/// Blocks that a multiprocessor runs side by side.
template <Extras extras, Purpose purpose, int warps, bool grouped>
inline constexpr int kSideBySide = !grouped || warps > kWarps ? 2 : purpose == Purpose::products && extras == Extras::none ? 4 : 3;

/// A block owns some queries of a segment and one head, a warp 16 M of them: their dQ, or Σ P ∘ dP over all keys. Queries and dO lie in
/// shared memory, and `Keys` keys and values at a time while the next ones are copied; P, dP and sums stay in registers.
template <int D, int M, int Keys, Extras extras, Purpose purpose, int warps, bool grouped>
__global__ void __launch_bounds__(32 * warps, (kSideBySide<extras, purpose, warps, grouped>))
    query_gradient_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                          const __grid_constant__ RowsOut dq) {
  using Block = QueryBlock<D, M, Keys, extras, warps, grouped>;
  Tile tile;
  if (!find_tile<Block::kRows>(*p.q_layout, blockIdx.x, tile)) return;
  auto& s = *shared_memory<GradientShared<Block, D, Keys>>();
  const auto head = static_cast<int>(blockIdx.y);
  const Block block(p, tile, head, s.keys, s.block, {p.q, given.output_gradient}, {s.q, s.g});

  float log_sum_exp[M][2];
  float mean[M][2] = {};
  float products[M][2] = {};
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int i = Block::row(m, half);
      const std::int64_t at = (block.first() + i) * p.heads + head;
      log_sum_exp[m][half] = i < block.rows() ? kLog2E * given.log_sum_exp[at] : 0.0F;
      if (purpose == Purpose::gradient && i < block.rows()) mean[m][half] = given.products[at];
    }
  }
  Sum sums[M][D / 8];
  clear(sums);

  const float factor = block.factor();
  block.for_keys([&](int from, int stage) {
    Sum c[M][Keys / 8];
    Sum d[M][Keys / 8];
    Block::multiply_two(s.q, s.keys.k[stage], c, s.g, s.keys.v[stage], d);
    block.finish_scores(from, stage, c);
    Block::for_scores(c, [&](int m, int half, int, float& x) { x = exp2_fast(x * factor - log_sum_exp[m][half]); });
    if constexpr (extras == Extras::all) {
      if (p.mask) block.drop(from, d);
    }
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < Keys / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if constexpr (purpose == Purpose::gradient) {
            d[m][n].x[i] = c[m][n].x[i] * (d[m][n].x[i] - mean[m][i / 2]);
          } else {
            products[m][i / 2] += c[m][n].x[i] * d[m][n].x[i];
          }
        }
      }
    }
    if constexpr (purpose == Purpose::gradient) Block::add_keys(d, s.keys.k[stage], sums);
  });

#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = products[m][half];
      sum += __shfl_xor_sync(~0U, sum, 1);
      sum += __shfl_xor_sync(~0U, sum, 2);
      const int i = Block::row(m, half);
      if (i >= block.rows()) continue;
      const std::int64_t row = block.first() + i;
      if constexpr (purpose == Purpose::gradient) {
        store_row(dq, row, block.column(), p.dim, sums[m], half, p.scale);
      } else if (lane() % 4 == 0) {
        given.products[row * p.heads + head] = sum;
      }
    }
  }
}

template <int D, int M, int Keys, Extras extras, Purpose purpose, int warps = kWarps, bool grouped = false>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq) {
  using Block = QueryBlock<D, M, Keys, extras, warps, grouped>;
  const std::int64_t tiles = Block::kRows == 64 ? grid.q_tiles64 : grid.q_tiles128;
  launch_blocks(purpose == Purpose::gradient ? "attention_grad: dq" : "attention_grad: products",
                query_gradient_kernel<D, M, Keys, extras, purpose, warps, grouped>,
                dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(p.heads)),
                32 * warps, sizeof(GradientShared<Block, D, Keys>), grid.queue, p, given, dq);
}

template <Purpose purpose>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq) {
  with_extras(p, [&]<Extras extras>() {
    constexpr Extras kExtras = none_or_all(extras);
    if (p.dim > 64) return launch<128, 1, 32, kExtras, purpose>(grid, p, given, dq);
    if (suits_warpgroups(p, grid.queue)) {
      constexpr int kMost = extras == Extras::all ? kWarps : 2 * kWarps;
      return has_long_queries(grid) ? launch<64, 1, 64, extras, purpose, kMost, true>(grid, p, given, dq)
                                    : launch<64, 1, 64, extras, purpose, kWarps, true>(grid, p, given, dq);
    }
    has_long_queries(grid) ? launch<64, 2, 64, kExtras, purpose>(grid, p, given, dq)
                           : launch<64, 1, 64, kExtras, purpose>(grid, p, given, dq);
  });
}

}  // namespace

void products(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given) {
  launch<Purpose::products>(grid, p, given, {});
}

void query_gradient(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const RowsOut& dq) {
  launch<Purpose::gradient>(grid, p, given, dq);
}

}  // namespace preamble::cuda::tensor
