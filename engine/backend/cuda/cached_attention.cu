#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/problem.cuh"
#include "engine/backend/cuda/attention/tile.cuh"
#include "engine/ops/cached_attention.h"

namespace preamble::cuda {
namespace {

constexpr int kDecodingThreads = 256;
/// Scores that lie in shared memory at a time.
constexpr int kKeysAtATime = 1024;
/// Lanes that share a key while scores are made; threads own four columns each while values are added up.
constexpr int kLanesOfKey = 16;
constexpr int kDecodingColumns = 512;

/// A kernel parameter.
struct Decoding {
  RowsIn q, cache_k, cache_v, prefix_k, prefix_v;
  const Layout* q_layout;
  const Layout* prefix_layout;
  const std::int32_t* table;
  const std::int32_t* lengths;
  const std::int32_t* slots;
  const float* bias;  ///< as `AttentionProblem::bias`
  std::int32_t table_width, reach, heads, group, dim;
  std::int32_t window;  ///< last keys that a row sees; 0: all of them
  float scale;
  bool prefix_has_positions;
  RowsOut o;
};

/// The keys of one row, prefix keys first.
struct History {
  const std::int32_t* cached;
  std::int32_t prefix_first, prefixes, length;
};

[[nodiscard]] __device__ History history_of(const Decoding& d, std::int64_t row) {
  History h{d.table + row * d.table_width, 0, 0, min(max(d.lengths[row], 0), d.table_width)};
  if (!d.prefix_k) return h;
  const std::int32_t slot = d.slots != nullptr ? d.slots[row] : 0;
  if (slot < 0 || slot >= d.prefix_layout->segments) return h;
  h.prefix_first = d.prefix_layout->offsets[slot];
  h.prefixes = d.prefix_layout->offsets[slot + 1] - h.prefix_first;
  return h;
}

/// Four columns of key or value j.
[[nodiscard]] __device__ float4 load_history(const RowsIn& prefix, const RowsIn& cache, const History& h, int j, int column, int left) {
  if (j < h.prefixes) return load_four(prefix, h.prefix_first + j, column, left);
  return load_four(cache, h.cached[j - h.prefixes], column, left);
}

/// Of all threads of a block, in each of them. `parts` [kDecodingThreads / 32] is shared memory that nobody uses.
template <class Combine>
[[nodiscard]] __device__ float over_block(float x, float* parts, const Combine& combine) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) x = combine(x, __shfl_xor_sync(~0U, x, lanes));
  __syncthreads();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  __syncthreads();
  x = parts[0];
#pragma unroll
  for (int i = 1; i < kDecodingThreads / 32; ++i) x = combine(x, parts[i]);
  return x;
}

/// A block owns one row and head, and up to 512 of its columns. 1024 scores at a time lie in shared memory; then threads read the values,
/// four columns each, as many keys side by side as there are threads. Keys and values are read once.
__global__ void __launch_bounds__(kDecodingThreads) cached_attention_kernel(const __grid_constant__ Decoding d) {
  const std::int64_t row = blockIdx.x;
  if (row >= d.q_layout->rows) return;
  float* scores = shared_memory<float>();        // [kKeysAtATime]
  float* sums = scores + kKeysAtATime;           // [kDecodingThreads, 4]
  float* parts = sums + 4 * kDecodingThreads;    // [kDecodingThreads / 32]
  float* query = parts + kDecodingThreads / 32;  // [dim]
  const auto thread = static_cast<int>(threadIdx.x);
  const auto head = static_cast<int>(blockIdx.y);
  const int kv_column = head / d.group * d.dim;
  const int begin = static_cast<int>(blockIdx.z) * kDecodingColumns;
  const int columns = min(kDecodingColumns, d.dim - begin);
  const int quads = (columns + 3) / 4;
  const int lines = kDecodingThreads / quads;  // keys side by side
  const History h = history_of(d, row);
  const int keys = h.prefixes + h.length;
  const int begin_key = d.window > 0 ? max(keys - d.window, 0) : 0;

  for (int c = 4 * thread; c < d.dim; c += 4 * kDecodingThreads) {
    const float4 x = load_four(d.q, row, head * d.dim + c, d.dim - c);
    query[c] = x.x * d.scale;
    if (c + 1 < d.dim) query[c + 1] = x.y * d.scale;
    if (c + 2 < d.dim) query[c + 2] = x.z * d.scale;
    if (c + 3 < d.dim) query[c + 3] = x.w * d.scale;
  }
  __syncthreads();

  float largest = -INFINITY;
  float sum = 0;
  float o[4] = {};
  const int column = thread % quads * 4;
  for (int first = begin_key; first < keys; first += kKeysAtATime) {
    const int count = min(kKeysAtATime, keys - first);
    float most = largest;
    for (int i = thread / kLanesOfKey;
         i < (count + kDecodingThreads / kLanesOfKey - 1) / (kDecodingThreads / kLanesOfKey) * (kDecodingThreads / kLanesOfKey);
         i += kDecodingThreads / kLanesOfKey) {
      const int j = first + i;
      float score = 0;
      for (int c = thread % kLanesOfKey * 4; i < count && c < d.dim; c += 4 * kLanesOfKey) {
        const float4 k = load_history(d.prefix_k, d.cache_k, h, j, kv_column + c, d.dim - c);
        score += query[c] * k.x;
        if (c + 1 < d.dim) score += query[c + 1] * k.y;
        if (c + 2 < d.dim) score += query[c + 2] * k.z;
        if (c + 3 < d.dim) score += query[c + 3] * k.w;
      }
#pragma unroll
      for (int lanes = kLanesOfKey / 2; lanes > 0; lanes /= 2) score += __shfl_xor_sync(~0U, score, lanes);
      if (i >= count) continue;
      if (d.bias != nullptr && (j >= h.prefixes || d.prefix_has_positions)) {
        // prefix key j of n stands at j - n, cached key j at j, the query at the last position
        const int distance = j - h.prefixes - (h.length - 1);
        score += d.bias[std::int64_t{head} * (2 * d.reach + 1) + min(max(distance, -d.reach), d.reach) + d.reach];
      }
      if (thread % kLanesOfKey == 0) scores[i] = score;
      most = fmaxf(most, score);
    }
    most = over_block(most, parts, [](float a, float b) { return fmaxf(a, b); });
    const float shrink = expf(largest - most);
    largest = most;
    float added = 0;
    for (int i = thread; i < count; i += kDecodingThreads) {
      scores[i] = expf(scores[i] - most);
      added += scores[i];
    }
    sum = sum * shrink + over_block(added, parts, [](float a, float b) { return a + b; });
#pragma unroll
    for (float& x : o) x *= shrink;
    if (thread < lines * quads) {
#pragma unroll 4
      for (int i = thread / quads; i < count; i += lines) {
        const float4 v = load_history(d.prefix_v, d.cache_v, h, first + i, kv_column + begin + column, columns - column);
        const float w = scores[i];
        o[0] += w * v.x;
        o[1] += w * v.y;
        o[2] += w * v.z;
        o[3] += w * v.w;
      }
    }
    __syncthreads();
  }

#pragma unroll
  for (int c = 0; c < 4; ++c) sums[4 * thread + c] = o[c];
  __syncthreads();
  const float normal = sum > 0 ? 1 / sum : 0.0F;
  for (int c = thread; c < columns; c += kDecodingThreads) {
    float x = 0;
    for (int line = 0; line < lines; ++line) x += sums[4 * (line * quads + c / 4) + c % 4];
    d.o.set(row, head * d.dim + begin + c, x * normal);
  }
}

}  // namespace

// Element types are those of the views.
template <class T>
void cached_attention(const Arguments& args) {
  using Op = CachedAttention;
  const AttentionOptions& options = static_cast<const Op&>(args.op).options;
  const View q = args.operand(Op::kQuery);
  const View table = args.operand(Op::kTable);
  const View bias_table = args.operand(Op::kBiasTable);
  const View prefix = args.operand(Op::kPrefixKey);
  const View o = args.output(0);
  if (!o) return;
  AttentionSizes sizes;
  if (bias_table) sizes.buckets = (*bias_table.dims)[0];
  AttentionProblem tables;
  tables.heads = options.heads;
  prepare_tables(bias_table, options, sizes, AttentionScratch::forward(options, sizes), args.scratch, args.queue, tables);

  Decoding d;
  d.q = RowsIn(q);
  d.cache_k = RowsIn(args.operand(Op::kCacheKey));
  d.cache_v = RowsIn(args.operand(Op::kCacheValue));
  d.prefix_k = RowsIn(prefix);
  d.prefix_v = RowsIn(args.operand(Op::kPrefixValue));
  d.q_layout = q.layout;
  d.prefix_layout = prefix ? prefix.layout : nullptr;
  d.table = table.as<const std::int32_t>();
  d.lengths = args.operand(Op::kLengths).as<const std::int32_t>();
  d.slots = args.operand(Op::kSlots).as<const std::int32_t>();
  d.bias = tables.bias;
  d.reach = tables.reach;
  d.table_width = static_cast<std::int32_t>(table.width);
  d.window = options.window;
  d.heads = options.heads;
  d.group = options.heads / options.kv_heads;
  d.dim = static_cast<std::int32_t>(q.width / options.heads);
  d.scale = static_cast<float>(options.scale);
  d.prefix_has_positions = options.prefix_has_positions;
  d.o = RowsOut(o);
  // a cache has no row space: its rows are its first dimension
  d.cache_k.width = d.cache_v.width = d.dim * options.kv_heads;

  const auto layers = static_cast<unsigned>((d.dim + kDecodingColumns - 1) / kDecodingColumns);
  const std::size_t floats = kKeysAtATime + 4 * kDecodingThreads + kDecodingThreads / 32 + static_cast<std::size_t>(d.dim);
  launch_blocks("cached_attention", cached_attention_kernel,
                dim3(static_cast<unsigned>(q.rows), static_cast<unsigned>(options.heads), layers), kDecodingThreads, floats * sizeof(float),
                args.queue, d);
}

template void cached_attention<float>(const Arguments&);
template void cached_attention<__nv_bfloat16>(const Arguments&);

}  // namespace preamble::cuda
