#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/pair.cuh"

namespace preamble::cuda::general {
namespace {

/// Of 16 neighbouring lanes, which share the rows of a Part.
template <class Combine>
[[nodiscard]] __device__ float over_row(float x, const Combine& combine) {
#pragma unroll
  for (int lanes = 8; lanes > 0; lanes /= 2) x = combine(x, __shfl_xor_sync(~0U, x, lanes));
  return x;
}

/// A block owns 64 queries of a segment, one head and 64 of its columns. Queries, keys, values and probabilities lie in shared memory;
/// a thread keeps 4 x 4 scores, as many sums of o, and maximum and sum of four rows. Keys and values are read once.
__global__ void __launch_bounds__(kTileThreads)
    output_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionResults results) {
  const auto index = static_cast<std::int32_t>(blockIdx.x);
  if (index >= p.q_layout->tile_count(64)) return;
  PairTiles& s = *shared_memory<PairTiles>();
  const QueryTile queries = query_tile(p, p.q_layout->tile_count(64) - 1 - index);
  const int head = static_cast<int>(blockIdx.y);
  const int part = static_cast<int>(blockIdx.z);
  const Pair pair(p, queries, head, s);

  float largest[4];
  float sum[4] = {};
  Part o;
  o.clear();
#pragma unroll
  for (float& x : largest) x = -INFINITY;
  for (int first = pair.begin(); first < pair.most(); first += kTile) {
    Part c;
    pair.scores(first, pair.most(), c);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float most = fmaxf(fmaxf(c.x[i][0], c.x[i][1]), fmaxf(c.x[i][2], c.x[i][3]));
      most = fmaxf(largest[i], over_row(most, [](float a, float b) { return fmaxf(a, b); }));
      const float shift = most == -INFINITY ? 0.0F : most;
      const float shrink = expf(largest[i] - shift);
      largest[i] = most;
      float added = 0;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        c.x[i][j] = expf(c.x[i][j] - shift);
        added += c.x[i][j];
      }
      sum[i] = sum[i] * shrink + over_row(added, [](float a, float b) { return a + b; });
#pragma unroll
      for (int j = 0; j < 4; ++j) o.x[i][j] *= shrink;
    }
    if (p.mask) Pair::for_elements(c, [&](int i, int j, float& x) { x *= pair.mask_factor(i, first + j); });
    put_scores(c, s.x);
    pair.load_own_and_prefix(p.prefix_v, p.v, first, pair.most(), part, s.v);
    __syncthreads();
    multiply_rows(s.x, s.v, o);
    __syncthreads();
  }

  const HeadColumns columns = pair.columns(part);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = part_row() + 16 * i;
    if (row >= queries.rows) continue;
    if (results.log_sum_exp != nullptr && part == 0 && part_column() == 0) {
      results.log_sum_exp[std::int64_t{queries.first + row} * p.heads + head] = sum[i] > 0 ? largest[i] + logf(sum[i]) : 0.0F;
    }
    const float normal = sum[i] > 0 ? 1 / sum[i] : 0.0F;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int column = 4 * part_column() + j;
      if (results.output && column < columns.count) results.output.set(queries.first + row, columns.first + column, o.x[i][j] * normal);
    }
  }
}

}  // namespace

void output(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionResults& results) {
  const auto parts = static_cast<unsigned>(results.output ? (problem.dim + kTile - 1) / kTile : 1);
  launch_blocks("attention", output_kernel, grid.queries(kTile, problem.heads, parts), kTileThreads, kForwardBytes, grid.queue, problem, results);
}

}  // namespace preamble::cuda::general
