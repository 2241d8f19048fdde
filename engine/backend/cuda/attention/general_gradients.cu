#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/pair.cuh"

namespace preamble::cuda::general {
namespace {

/// A block owns 64 queries of a segment and one head: Σ P ∘ dP of each query over all its keys.
__global__ void __launch_bounds__(kTileThreads)
    products_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given) {
  const auto index = static_cast<std::int32_t>(blockIdx.x);
  if (index >= p.q_layout->tile_count(64)) return;
  PairTiles& s = *shared_memory<PairTiles>();
  const QueryTile queries = query_tile(p, index);
  const int head = static_cast<int>(blockIdx.y);
  const Pair pair(p, queries, head, s);
  pair.open_gradients(given.output_gradient, given.log_sum_exp, nullptr);
  float sum[4] = {};
  for (int first = pair.begin(); first < pair.most(); first += kTile) {
    Part x;
    Part d;
    pair.gradients(given.output_gradient, first, pair.most(), x, d);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) sum[i] += fabsf(x.x[i][j]) * d.x[i][j];
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int lanes = 8; lanes > 0; lanes /= 2) sum[i] += __shfl_xor_sync(~0U, sum[i], lanes);
    const int row = part_row() + 16 * i;
    if (row < queries.rows && part_column() == 0) given.products[std::int64_t{queries.first + row} * p.heads + head] = sum[i];
  }
}

/// A block owns 64 queries of a segment, one head and 64 columns of its dQ, which threads keep. Keys and values are read once.
__global__ void __launch_bounds__(kTileThreads)
    query_gradient_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                          const __grid_constant__ RowsOut dq) {
  const auto index = static_cast<std::int32_t>(blockIdx.x);
  if (index >= p.q_layout->tile_count(64)) return;
  PairTiles& s = *shared_memory<PairTiles>();
  const QueryTile queries = query_tile(p, p.q_layout->tile_count(64) - 1 - index);
  const int head = static_cast<int>(blockIdx.y);
  const int part = static_cast<int>(blockIdx.z);
  const Pair pair(p, queries, head, s);
  pair.open_gradients(given.output_gradient, given.log_sum_exp, given.products);
  Part sums;
  sums.clear();
  for (int first = pair.begin(); first < pair.most(); first += kTile) {
    {
      Part x;
      Part d;
      pair.gradients(given.output_gradient, first, pair.most(), x, d);
      pair.finish(x, d);
      put_scores(d, s.x);
    }
    if (pair.parts() > 1) pair.load_own_and_prefix(p.prefix_k, p.k, first, pair.most(), part, s.k);
    __syncthreads();
    multiply_rows(s.x, s.k, sums);
    __syncthreads();
    if (!p.position_k) continue;
    pair.for_bands([&](int row, int rows) {
      pair.collect_by_query(row, s.v);
      load_rows(p.position_k, row, rows, pair.columns(part), s.k);
      __syncthreads();
      multiply_rows(s.v, s.k, sums);
      __syncthreads();
    });
  }
  const HeadColumns columns = pair.columns(part);
  Pair::for_elements(sums, [&](int, int, float& x) { x *= p.scale; });
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = part_row() + 16 * i;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int column = 4 * part_column() + j;
      if (row < queries.rows && column < columns.count) dq.set(queries.first + row, columns.first + column, sums.x[i][j]);
    }
  }
}

/// A block owns 64 keys of a segment, one key/value head, 64 of its columns and a chunk of the queries: dK and dV, which threads keep.
/// Queries and dO are read once for each head of queries.
__global__ void __launch_bounds__(kTileThreads)
    key_gradients_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                         const __grid_constant__ KeyGradients to) {
  const Layout& layout = to.target.layout(p);
  const auto index = static_cast<std::int32_t>(blockIdx.x);
  if (index >= layout.tile_count(64)) return;
  PairTiles& s = *shared_memory<PairTiles>();
  const Tile tile = layout.tiles(64)[index];
  const int kv_head = static_cast<int>(blockIdx.y);
  const int parts = (p.dim + kTile - 1) / kTile;
  const int part = static_cast<int>(blockIdx.z) % parts;
  const auto chunk = static_cast<std::int32_t>(blockIdx.z) / parts;
  const int key = tile.first - layout.offsets[tile.segment];
  const int rows = min(kTile, layout.offsets[tile.segment + 1] - tile.first);
  Part dk;
  Part dv;
  dk.clear();
  dv.clear();
  QueryWalk walk(p, to.target, tile.segment, tile.first - layout.offsets[tile.segment], chunk);
  QueryTile queries;
  while (walk.next(queries)) {
    for (int head = kv_head * p.group; head < (kv_head + 1) * p.group; ++head) {
      const Pair pair(p, queries, head, s);
      const int first = to.target.prefix ? key : pair.keys().prefixes + key;
      if (pair.sees_none(first, first + rows)) {
        __syncthreads();
        continue;
      }
      pair.open_gradients(given.output_gradient, given.log_sum_exp, given.products);
      Part x;
      Part d;
      pair.gradients(given.output_gradient, first, first + rows, x, d);
      pair.finish(x, d);
      Pair::for_elements(x, [&](int, int, float& w) { w = pair.dropped(w); });
      put_scores(x, s.x);
      if (pair.parts() > 1) load_rows(given.output_gradient, queries.first, queries.rows, pair.columns(part), s.g);
      __syncthreads();
      multiply_columns(s.x, s.g, dv);
      __syncthreads();
      put_scores(d, s.x);
      if (pair.parts() > 1) load_rows(p.q, queries.first, queries.rows, pair.columns(part), s.q);
      __syncthreads();
      multiply_columns(s.x, s.q, dk);
      __syncthreads();
      if (!p.position_q || to.target.prefix) continue;
      pair.for_bands([&](int row, int count) {
        pair.collect_by_key(row, s.v, 1, kPitch);
        load_rows(p.position_q, row, count, pair.columns(part), s.k);
        __syncthreads();
        multiply_columns(s.v, s.k, dk);
        __syncthreads();
      });
    }
  }
  const HeadColumns columns = HeadColumns::of(p, kv_head, part);
  const std::int64_t shift = chunk * to.chunk_elements;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = 4 * part_row() + i;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int column = 4 * part_column() + j;
      if (row >= rows || column >= columns.count) continue;
      const float k = p.scale * dk.x[i][j];
      if (to.keys) to.keys.shifted(shift).set(tile.first + row, columns.first + column, to.joint ? k + dv.x[i][j] : k);
      if (to.values) to.values.shifted(shift).set(tile.first + row, columns.first + column, dv.x[i][j]);
    }
  }
}

unsigned parts_of(const AttentionProblem& problem) { return static_cast<unsigned>((problem.dim + kTile - 1) / kTile); }

}  // namespace

void products(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients) {
  launch_blocks("attention_grad: products", products_kernel, grid.queries(kTile, problem.heads), kTileThreads, sizeof(PairTiles), grid.queue,
                problem, gradients);
}

void query_gradient(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients, const RowsOut& dq) {
  launch_blocks("attention_grad: dq", query_gradient_kernel, grid.queries(kTile, problem.heads, parts_of(problem)), kTileThreads,
                sizeof(PairTiles), grid.queue, problem, gradients, dq);
}

void key_gradients(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients,
                   const KeyGradients& to) {
  dim3 blocks = to.grid(kTile, problem.kv_heads);
  blocks.z *= parts_of(problem);
  launch_blocks("attention_grad: dk, dv", key_gradients_kernel, blocks, kTileThreads, sizeof(PairTiles), grid.queue, problem, gradients, to);
}

}  // namespace preamble::cuda::general
