#include "engine/backend/cuda/attention/visibility.cuh"

#include <climits>

#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/octet.cuh"

namespace preamble::cuda {
namespace {

constexpr int kTile = 64, kLanes = 32, kTilesOfBlock = 4;

/// Do positions of `count` rows rise by one from row to row? A warp looks at all of them.
__device__ bool are_straight(const std::int32_t* positions, std::int32_t count, int lane) {
  const std::int32_t first = count > 0 ? positions[0] : 0;
  bool straight = true;
  // no position waits for what the one before it said
#pragma unroll 8
  for (std::int32_t i = lane; i < count; i += kLanes) straight &= positions[i] == first + i;
  return __all_sync(~0U, straight) != 0;
}

/// K and V of a prefix as bf16: a thread owns eight elements of one of them.
__device__ void copy_prefix(const PrefixCopies& prefix, std::int64_t octet) {
  const bool of_keys = octet < prefix.octets;
  const RowsIn from = RowsIn::pick(of_keys, prefix.keys, prefix.values);
  const std::int64_t first = (of_keys ? octet : octet - prefix.octets) * kOctet;
  const std::int64_t left = (prefix.layout != nullptr ? std::int64_t{prefix.layout->rows} * from.width : LLONG_MAX) - first;
  if (octet >= 2 * prefix.octets || left <= 0) return;
  float v[kOctet];
  load(static_cast<const float*>(from.data) + first, left, v);
  store((of_keys ? prefix.narrow_keys : prefix.narrow_values) + first, left, v);
}

/// A warp owns a tile of 64 queries, a lane two of them. Blocks from `tile_blocks` on copy the prefix.
__global__ void __launch_bounds__(kLanes* kTilesOfBlock)
    visibility_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ PrefixCopies prefix, unsigned tile_blocks,
                      Visibility* tiles, std::int32_t* seen, std::int32_t* hidden, std::int32_t* turns) {
  if (blockIdx.x >= tile_blocks) return copy_prefix(prefix, std::int64_t{blockIdx.x - tile_blocks} * blockDim.x + threadIdx.x);
  if (blockIdx.x == 0 && threadIdx.x < AttentionScratch::kTurns) turns[threadIdx.x] = 0;
  const auto index = static_cast<std::int32_t>(blockIdx.x * kTilesOfBlock + threadIdx.x / kLanes);
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  if (index >= p.q_layout->tile_count(64)) return;
  const Tile tile = p.q_layout->tiles(64)[index];
  const SegmentKeys keys = p.keys(tile.segment);
  Visibility v{keys.prefix_first, keys.prefixes, keys.first, keys.count, INT_MAX, 0, INT_MAX, 0, INT_MAX, INT_MIN, 0, 0};
  v.left = p.q_layout->offsets[tile.segment + 1] - tile.first;
  const std::int32_t rows = min(kTile, v.left);
  for (std::int32_t i = lane; i < rows; i += kLanes) {
    const std::int32_t row = tile.first + i;
    const std::int32_t position = p.q_layout->positions[row];
    const std::int32_t last = p.last_key(keys, position);
    const std::int32_t first = p.first_key(keys, position);
    seen[row] = last;
    if (hidden != nullptr) hidden[row] = first;
    v.all_see = min(v.all_see, last), v.most = max(v.most, last), v.least = min(v.least, first);
    v.nearest = min(v.nearest, position), v.farthest = max(v.farthest, position);
  }
  v.all_see = rows == kTile ? __reduce_min_sync(~0U, v.all_see) : 0;
  v.most = __reduce_max_sync(~0U, v.most), v.least = __reduce_min_sync(~0U, v.least);
  v.nearest = __reduce_min_sync(~0U, v.nearest), v.farthest = __reduce_max_sync(~0U, v.farthest);
  if (p.bias != nullptr && keys.count > 0) {
    v.key_position = p.k_layout->positions[keys.first];
    const bool straight = are_straight(p.q_layout->positions + tile.first, rows, lane);
    v.straight = are_straight(p.k_layout->positions + keys.first, keys.count, lane) && straight ? 1 : 0;
  }
  if (lane == 0) tiles[Visibility::place(tile.segment, tile.first)] = v;
}

}  // namespace

void find_seen_keys(const Arguments& args, std::byte* memory, const PrefixCopies& prefix, AttentionProblem& problem) {
  const View query = args.operand(Attention::kQuery);
  auto* tiles = reinterpret_cast<Visibility*>(memory);
  auto* seen = reinterpret_cast<std::int32_t*>(tiles + query.tiles(kTile));
  std::int32_t* hidden = problem.window > 0 ? seen + query.rows : nullptr;
  std::int32_t* turns = seen + (problem.window > 0 ? 2 : 1) * query.rows;
  const auto blocks = static_cast<unsigned>((query.tiles(kTile) + kTilesOfBlock - 1) / kTilesOfBlock);
  constexpr int kThreads = kLanes * kTilesOfBlock;
  const auto copies = static_cast<unsigned>((2 * prefix.octets + kThreads - 1) / kThreads);
  launch_blocks("attention: keys", visibility_kernel, dim3(blocks + copies), kThreads, 0, args.queue, problem, prefix, blocks, tiles, seen, hidden,
                turns);
  problem.tiles = tiles;
  problem.seen = seen;
  problem.hidden = hidden;
  problem.turns = turns;
}

}  // namespace preamble::cuda
