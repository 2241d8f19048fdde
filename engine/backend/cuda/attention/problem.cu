#include <algorithm>

#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/problem.cuh"
#include "engine/backend/cuda/octet.cuh"

namespace preamble::cuda {
namespace {

/// A function of clamped distances that is constant on a few ranges: the host makes it, so that boundaries fall where they fall on the
/// CPU.
struct Pieces {
  static constexpr int kMost = 448;
  std::int32_t first = 0, end = 0;  ///< distances that these pieces cover
  std::int32_t count = 0;
  std::int32_t begin[kMost];  ///< of each piece
  std::int32_t value[kMost];
};

/// A thread owns a distance: it finds the distance's row and copies the biases of all heads in it.
__global__ void fill_tables_kernel(const __grid_constant__ Pieces pieces, std::int32_t* rows, float* bias, Reals table, std::int32_t heads,
                                   std::int32_t distances) {
  const std::int32_t d = pieces.first + static_cast<std::int32_t>(blockIdx.x * blockDim.x + threadIdx.x);
  if (d >= pieces.end) return;
  std::int32_t low = 0;
  std::int32_t high = pieces.count;
  while (high - low > 1) {
    const std::int32_t middle = (low + high) / 2;
    if (pieces.begin[middle] <= d) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const std::int32_t row = pieces.value[low];
  rows[d] = row;
  for (std::int32_t h = 0; bias != nullptr && h < heads; ++h) bias[static_cast<std::int64_t>(h) * distances + d] = table[row * heads + h];
}

/// Calls fill(pieces) for all distances [0, count). Distances of one value stand side by side.
template <class Value, class Fill>
void for_pieces(std::int32_t count, const Value& value_at, const Fill& fill) {
  Pieces pieces;
  for (std::int32_t d = 0; d < count;) {
    const std::int32_t value = value_at(d);
    std::int32_t low = d;
    std::int32_t high = count;
    while (high - low > 1) {
      const std::int32_t middle = low + (high - low) / 2;
      if (value_at(middle) == value) {
        low = middle;
      } else {
        high = middle;
      }
    }
    pieces.begin[pieces.count] = d;
    pieces.value[pieces.count] = value;
    ++pieces.count;
    pieces.end = d = high;
    if (pieces.count < Pieces::kMost && d < count) continue;
    fill(pieces);
    pieces.first = d;
    pieces.count = 0;
  }
}

}  // namespace

AttentionProblem attention_problem(const Arguments& args, const AttentionOptions& options) {
  AttentionProblem p;
  p.q = RowsIn(args.operand(Attention::kQuery));
  p.k = RowsIn(args.operand(Attention::kKey));
  p.v = RowsIn(args.operand(Attention::kValue));
  p.prefix_k = RowsIn(args.operand(Attention::kPrefixKey));
  p.prefix_v = RowsIn(args.operand(Attention::kPrefixValue));
  p.position_k = RowsIn(args.operand(Attention::kPositionKey));
  p.position_q = RowsIn(args.operand(Attention::kPositionQuery));
  p.q_layout = args.operand(Attention::kQuery).layout;
  p.k_layout = args.operand(Attention::kKey).layout;
  p.prefix_layout = args.operand(Attention::kPrefixKey) ? args.operand(Attention::kPrefixKey).layout : nullptr;
  p.slots = args.operand(Attention::kSlots).as<const std::int32_t>();
  p.kv_segment = args.operand(Attention::kKeySegment).as<const std::int32_t>();
  p.context = args.operand(Attention::kContext).as<const std::int32_t>();
  p.heads = options.heads;
  p.kv_heads = options.kv_heads;
  p.group = options.heads / options.kv_heads;
  p.dim = static_cast<std::int32_t>(args.operand(Attention::kQuery).width / options.heads);
  p.scale = static_cast<float>(options.scale);
  p.window = options.window;
  p.causal = options.causal;
  p.keys_in_front = options.keys_in_front;
  p.prefix_has_positions = options.prefix_has_positions;
  p.mask = ProbabilityMask(options.dropout, args.operand(Attention::kDropoutKey));
  return p;
}

AttentionSizes attention_sizes(const Arguments& args, const AttentionProblem& problem) {
  AttentionSizes sizes;
  sizes.q_rows = args.operand(Attention::kQuery).rows;
  sizes.q_segments = args.operand(Attention::kQuery).segments;
  sizes.k_rows = args.operand(Attention::kKey).rows;
  if (problem.prefix_k) sizes.prefix_rows = args.operand(Attention::kPrefixKey).rows;
  sizes.dim = problem.dim;
  sizes.narrow = problem.q.narrow;
  sizes.kv_width = problem.kv_heads * problem.dim;
  sizes.wide_prefix = problem.prefix_k && !problem.prefix_k.narrow;
  if (const View table = args.operand(Attention::kBiasTable)) sizes.buckets = (*table.dims)[0];
  for (const std::size_t i : {Attention::kPositionKey, Attention::kPositionQuery}) {
    if (args.operand(i)) sizes.positions = args.operand(i).rows;
  }
  return sizes;
}

PrefixCopies copy_prefix(const Arguments& args, const AttentionScratch& scratch, std::byte* memory, AttentionProblem& problem) {
  PrefixCopies copies;
  if (scratch.narrow_prefix == 0) return copies;
  const View prefix = args.operand(Attention::kPrefixKey);
  copies.keys = problem.prefix_k, copies.values = problem.prefix_v;
  copies.layout = prefix.layout;
  copies.narrow_keys = reinterpret_cast<Bf16*>(memory);
  copies.narrow_values = reinterpret_cast<Bf16*>(memory + scratch.narrow_prefix);
  copies.octets = prefix.rows * octets_of(prefix.width);
  for (RowsIn* rows : {&problem.prefix_k, &problem.prefix_v}) rows->narrow = true;
  problem.prefix_k.data = copies.narrow_keys;
  problem.prefix_v.data = copies.narrow_values;
  return copies;
}

void prepare_tables(const View& bias_table, const AttentionOptions& options, const AttentionSizes& sizes, const AttentionScratch& scratch,
                    std::byte* memory, const Queue& queue, AttentionProblem& problem) {
  const auto distances = static_cast<std::int32_t>(AttentionScratch::distances(options, sizes));
  if (distances == 0) return;
  problem.reach = distances / 2;
  auto* rows = reinterpret_cast<std::int32_t*>(memory);
  float* bias = sizes.buckets > 0 ? reinterpret_cast<float*>(memory + scratch.rows) : nullptr;
  problem.row_at = rows;
  problem.bias = bias;
  const Reals table(bias_table);
  const auto fill = [&](const Pieces& pieces) {
    constexpr int kThreads = 128;
    const auto blocks = static_cast<unsigned>((pieces.end - pieces.first + kThreads - 1) / kThreads);
    launch_blocks("attention tables", fill_tables_kernel, dim3(blocks), kThreads, 0, queue, pieces, rows, bias, table, options.heads,
                  distances);
  };
  const std::int32_t reach = problem.reach;
  if (bias != nullptr) {
    for_pieces(
        distances, [&](std::int32_t d) { return relative_position_bucket(d - reach, options.relative, sizes.buckets); }, fill);
  } else {
    for_pieces(
        distances, [&](std::int32_t d) { return disentangled_position_row(reach - d, options.disentangled); }, fill);
  }
}

}  // namespace preamble::cuda
