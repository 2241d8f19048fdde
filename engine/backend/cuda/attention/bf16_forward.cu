#include "engine/backend/cuda/attention/bf16_queries.cuh"
#include "engine/backend/cuda/attention/launch.cuh"

namespace preamble::cuda::tensor {
namespace {

constexpr int kKeys = 64;

template <int D, int M, Extras extras, int warps, bool grouped>
struct OutputShared {
  Bf16 q[QueryBlock<D, M, kKeys, extras, warps, grouped>::kRows * D];
  KeyTiles<D, kKeys> keys;
  typename QueryBlock<D, M, kKeys, extras, warps, grouped>::Shared block;
};

/// Blocks that a multiprocessor runs side by side: as many as their registers allow.
template <int warps, bool grouped>
inline constexpr int kSideBySide = grouped && warps == 4 ? 3 : 2;

/// Of the four lanes that share a row of sums.
[[nodiscard]] __device__ float max_over_row(float x) {
  x = fmaxf(x, __shfl_xor_sync(~0U, x, 1));
  return fmaxf(x, __shfl_xor_sync(~0U, x, 2));
}
[[nodiscard]] __device__ float sum_over_row(float x) {
  x += __shfl_xor_sync(~0U, x, 1);
  return x + __shfl_xor_sync(~0U, x, 2);
}

/// A block owns some queries of a segment and one head, a warp 16 M of them. Scores, o, maxima and sums stay in registers, and the queries of
/// warps that multiply alone; 64 keys and values at a time lie in shared memory while the next 64 are copied. Everything is read once.
template <int D, int M, Extras extras, int warps, bool grouped>
__global__ void __launch_bounds__(32 * warps, (kSideBySide<warps, grouped>))
    output_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionResults results) {
  using Block = QueryBlock<D, M, kKeys, extras, warps, grouped>;
  Tile tile;
  if (!find_tile<Block::kRows>(*p.q_layout, blockIdx.x, tile)) return;
  auto& s = *shared_memory<OutputShared<D, M, extras, warps, grouped>>();
  const auto head = static_cast<int>(blockIdx.y);
  const Block block(p, tile, head, s.keys, s.block, {p.q}, {s.q});

  [[maybe_unused]] FragmentA q[M][D / 16];
  if constexpr (!grouped) {
    wait_copies<0>();
    __syncthreads();
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int k = 0; k < D / 16; ++k) q[m][k] = SharedRows<D>::left(s.q, warp() * 16 * M + 16 * m, 16 * k);
    }
  }

  Sum o[M][D / 8];
  float largest[M][2];
  float sum[M][2] = {};
  clear(o);
#pragma unroll
  for (int m = 0; m < M; ++m) largest[m][0] = largest[m][1] = -INFINITY;

  const float scale = block.factor();
  block.for_keys([&](int from, int stage) {
    Sum c[M][kKeys / 8];
    if constexpr (grouped) {
      Block::multiply(s.q, s.keys.k[stage], c);
    } else {
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
    }
    block.finish_scores(from, stage, c);
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float most = c[m][0].x[2 * half];
#pragma unroll
        for (int n = 0; n < kKeys / 8; ++n) most = fmaxf(most, fmaxf(c[m][n].x[2 * half], c[m][n].x[2 * half + 1]));
        most = fmaxf(largest[m][half], max_over_row(most));
        const float shift = most == -INFINITY ? 0.0F : most * scale;
        const float shrink = exp2_fast(largest[m][half] * scale - shift);
        largest[m][half] = most;
        float added = 0;
#pragma unroll
        for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; ++i) {
            c[m][n].x[i] = exp2_fast(c[m][n].x[i] * scale - shift);
            added += c[m][n].x[i];
          }
        }
        sum[m][half] = sum[m][half] * shrink + added;
#pragma unroll
        for (int n = 0; n < D / 8; ++n) {
          o[m][n].x[2 * half] *= shrink;
          o[m][n].x[2 * half + 1] *= shrink;
        }
      }
    }
    if constexpr (extras == Extras::all) {
      if (p.mask) block.drop(from, c);
    }
    Block::add_keys(c, s.keys.v[stage], o);
  });

#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float all = sum_over_row(sum[m][half]);
      const int i = Block::row(m, half);
      if (i >= block.rows()) continue;
      const std::int64_t row = block.first() + i;
      if (results.output) store_row(results.output, row, block.column(), p.dim, o[m], half, all > 0 ? 1 / all : 0.0F);
      if (results.log_sum_exp != nullptr && lane() % 4 == 0) {
        results.log_sum_exp[row * p.heads + head] = all > 0 ? largest[m][half] * scale * kLn2 + logf(all) : 0.0F;
      }
    }
  }
}

template <int D, int M, Extras extras, int warps, bool grouped>
void launch(const AttentionGrid& grid, const AttentionProblem& p, const AttentionResults& results) {
  const std::int64_t tiles = QueryBlock<D, M, kKeys, extras, warps, grouped>::kRows == 64 ? grid.q_tiles64 : grid.q_tiles128;
  launch_blocks("attention", output_kernel<D, M, extras, warps, grouped>, dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(p.heads)),
                32 * warps, sizeof(OutputShared<D, M, extras, warps, grouped>), grid.queue, p, results);
}

}  // namespace

void output(const AttentionGrid& grid, const AttentionProblem& p, const AttentionResults& results) {
  with_extras(p, [&]<Extras extras>() {
    constexpr Extras kExtras = none_or_all(extras);
    if (p.dim > 64) return launch<128, 1, kExtras, kWarps, false>(grid, p, results);
    if (suits_warpgroups(p, grid.queue)) {
      // two warpgroups share the keys, unless dropout needs their registers
      constexpr int kMost = extras == Extras::all ? kWarps : 2 * kWarps;
      return has_long_queries(grid) ? launch<64, 1, extras, kMost, true>(grid, p, results) : launch<64, 1, extras, kWarps, true>(grid, p, results);
    }
    has_long_queries(grid) ? launch<64, 2, kExtras, kWarps, false>(grid, p, results) : launch<64, 1, kExtras, kWarps, false>(grid, p, results);
  });
}

}  // namespace preamble::cuda::tensor
