#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/pair.cuh"

namespace preamble::cuda {
namespace {

/// Buckets of a bias table that a block sums up, each thread in sums of its own.
constexpr int kBuckets = 32;

/// Adds scale · what a Part holds to rows [row, row + rows) of sums [positions, width].
__device__ void add_to_table(const Part& c, float scale, int row, int rows, const HeadColumns& columns, std::int64_t width, float* sums) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int r = 4 * part_row() + i;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int column = 4 * part_column() + j;
      if (r < rows && column < columns.count) sums[(row + r) * width + columns.first + column] += scale * c.x[i][j];
    }
  }
}

/// A block owns one head, a chunk of the queries, and 32 buckets of a bias table or 64 columns of the position tables. It makes dS once
/// more and adds it up by buckets, or by rows of the tables. Nobody else writes its sums.
__global__ void __launch_bounds__(kTileThreads)
    table_gradients_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                           const __grid_constant__ TableGradients to) {
  PairTiles& s = *shared_memory<PairTiles>();
  float* buckets = reinterpret_cast<float*>(&s + 1);  // [kBuckets, kTileThreads], of a bias table
  const auto chunk = static_cast<std::int32_t>(blockIdx.x);
  const int head = static_cast<int>(blockIdx.y);
  const int part = static_cast<int>(blockIdx.z);
  const auto thread = static_cast<int>(threadIdx.x);
  const std::int64_t width = std::int64_t{p.heads} * p.dim;
  const HeadColumns columns = HeadColumns::of(p, head, part);
  float* position_k = to.position_k != nullptr ? to.position_k + chunk * to.positions * width : nullptr;
  float* position_q = to.position_q != nullptr ? to.position_q + chunk * to.positions * width : nullptr;
  if (to.bias != nullptr) {
    for (int b = 0; b < kBuckets; ++b) buckets[b * kTileThreads + thread] = 0;
  }
  for (float* sums : {position_k, position_q}) {
    for (int i = thread; sums != nullptr && i < to.positions * columns.count; i += kTileThreads) {
      sums[i / columns.count * width + columns.first + i % columns.count] = 0;
    }
  }
  __syncthreads();

  const std::int64_t tiles = p.q_layout->tile_count(64);
  const auto end = static_cast<std::int32_t>((chunk + 1) * tiles / to.chunks);
  for (auto index = static_cast<std::int32_t>(chunk * tiles / to.chunks); index < end; ++index) {
    const QueryTile queries = query_tile(p, index);
    const Pair pair(p, queries, head, s);
    pair.open_gradients(given.output_gradient, given.log_sum_exp, given.products);
    for (int first = pair.begin(); first < pair.most(); first += kTile) {
      Part x;
      Part d;
      pair.gradients(given.output_gradient, first, pair.most(), x, d);
      pair.finish(x, d);
      if (to.bias != nullptr) {
        Pair::for_elements(d, [&](int i, int j, float& ds) {
          if (s.key_position[j] == p.kNoPosition) return;
          const int bucket = p.row_at[pair.distance(i, j)] - part * kBuckets;
          if (bucket >= 0 && bucket < kBuckets) buckets[bucket * kTileThreads + thread] += ds;
        });
        __syncthreads();
        continue;
      }
      put_scores(d, s.x);
      __syncthreads();
      pair.for_bands([&](int row, int rows) {
        Part sums;
        if (position_k != nullptr) {
          pair.collect_by_query(row, s.v);
          if (pair.parts() > 1) load_rows(p.q, queries.first, queries.rows, columns, s.q);
          __syncthreads();
          sums.clear();
          multiply_columns(s.v, s.q, sums);
          add_to_table(sums, p.scale, row, rows, columns, width, position_k);
          __syncthreads();
        }
        if (position_q != nullptr) {
          pair.collect_by_key(row, s.v, kPitch, 1);
          if (pair.parts() > 1) pair.load_own_and_prefix(p.prefix_k, p.k, first, pair.most(), part, s.k);
          __syncthreads();
          sums.clear();
          multiply_columns(s.v, s.k, sums);
          add_to_table(sums, p.scale, row, rows, columns, width, position_q);
          __syncthreads();
        }
      });
    }
    __syncthreads();
  }

  if (to.bias == nullptr) return;
  const int bucket = part * kBuckets + thread / 8;
  float sum = 0;
  for (int t = thread % 8; t < kTileThreads; t += 8) sum += buckets[thread / 8 * kTileThreads + t];
#pragma unroll
  for (int lanes = 4; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(~0U, sum, lanes);
  if (thread % 8 == 0 && bucket < to.buckets) to.bias[(std::int64_t{chunk} * to.buckets + bucket) * p.heads + head] = sum;
}

}  // namespace

void table_gradients(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients,
                     const TableGradients& to) {
  const bool bias = to.bias != nullptr;
  const int parts = bias ? (to.buckets + kBuckets - 1) / kBuckets : (problem.dim + kTile - 1) / kTile;
  const std::size_t bytes = sizeof(PairTiles) + (bias ? kBuckets * kTileThreads * sizeof(float) : 0);
  launch_blocks("attention_grad: tables", table_gradients_kernel,
                dim3(static_cast<unsigned>(to.chunks), static_cast<unsigned>(problem.heads), static_cast<unsigned>(parts)), kTileThreads,
                bytes, grid.queue, problem, gradients, to);
}

}  // namespace preamble::cuda
