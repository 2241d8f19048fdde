#include "engine/backend/cuda/attention_scratch.h"

#include "engine/backend/cuda/element_bytes.h"
#include "engine/graph/node_cost.h"

namespace preamble::cuda {
namespace {

constexpr std::int64_t kNarrow = 2;  ///< bytes of a bf16 number
constexpr std::int64_t kTile = 64;   ///< rows of a tile of queries

constexpr std::int64_t rounded(std::int64_t bytes) noexcept { return (bytes + 255) / 256 * 256; }

AttentionSizes sizes_of(const NodeCost& cost, const AttentionOptions& options) {
  AttentionSizes sizes;
  const Type& q = cost.input(Attention::kQuery);
  sizes.q_rows = cost.rows(q);
  sizes.q_segments = q.has_rows() ? cost.graph.rows(q.rows).segments : 1;
  sizes.k_rows = cost.rows(cost.input(Attention::kKey));
  sizes.dim = q.width() / options.heads;
  sizes.narrow = q.dtype == Dtype::bf16;
  sizes.kv_width = options.kv_heads * sizes.dim;
  if (has(cost, Attention::kPrefixKey)) {
    sizes.prefix_rows = cost.rows(cost.input(Attention::kPrefixKey));
    sizes.wide_prefix = cost.input(Attention::kPrefixKey).dtype == Dtype::f32;
  }
  if (has(cost, Attention::kBiasTable)) sizes.buckets = cost.input(Attention::kBiasTable).dims[0];
  for (const std::size_t i : {Attention::kPositionKey, Attention::kPositionQuery}) {
    if (has(cost, i)) sizes.positions = cost.rows(cost.input(i));
  }
  return sizes;
}

}  // namespace

std::int64_t AttentionScratch::distances(const AttentionOptions& options, const AttentionSizes& sizes) noexcept {
  if (sizes.positions > 0) return 2 * std::int64_t{options.disentangled.max_distance} + 1;
  return sizes.buckets > 0 ? 2 * std::int64_t{options.relative.max_distance} + 1 : 0;
}

AttentionScratch AttentionScratch::forward(const AttentionOptions& options, const AttentionSizes& sizes) noexcept {
  AttentionScratch s;
  s.rows = rounded(distances(options, sizes) * std::int64_t{sizeof(std::int32_t)});
  if (sizes.buckets > 0) s.bias = rounded(options.heads * distances(options, sizes) * kFloat);
  if (sizes.wide_prefix && sizes.on_tensor_cores()) s.narrow_prefix = rounded(sizes.prefix_rows * sizes.kv_width * kNarrow);
  if (sizes.on_tensor_cores()) {
    s.seen = rounded((sizes.q_rows / kTile + sizes.q_segments) * kVisibility + ((options.window > 0 ? 2 : 1) * sizes.q_rows + kTurns) * kIndex);
  }
  if (sizes.dim > kColumns && !sizes.on_tensor_cores()) s.output = rounded(sizes.q_rows * options.heads * sizes.dim * kFloat);
  return s;
}

AttentionScratch AttentionScratch::backward(const AttentionOptions& options, const AttentionSizes& sizes,
                                            const SharedGradients& shared) noexcept {
  AttentionScratch s = forward(options, sizes);
  s.products = rounded(sizes.q_rows * options.heads * kFloat);
  const std::int64_t kv_width = options.kv_heads * sizes.dim * kFloat;
  if (shared.own) s.own = rounded(chunk_rows(sizes.k_rows, options.kv_heads) * kv_width);
  if (shared.prefix) s.prefix = rounded(chunk_rows(sizes.prefix_rows, options.kv_heads) * kv_width);
  const std::int64_t tables = rounded(table_chunks(options.heads) * sizes.positions * options.heads * sizes.dim * kFloat);
  if (shared.position_k) s.position_k = tables;
  if (shared.position_q) s.position_q = tables;
  if (shared.bias) s.bias_gradient = rounded(table_chunks(options.heads) * sizes.buckets * options.heads * kFloat);
  return s;
}

std::int64_t attention_scratch_bytes(const NodeCost& cost) {
  const AttentionOptions& options = static_cast<const Attention&>(*cost.node.op).options;
  return AttentionScratch::forward(options, sizes_of(cost, options)).bytes();
}

std::int64_t attention_grad_scratch_bytes(const NodeCost& cost) {
  const AttentionOptions& options = static_cast<const AttentionGrad&>(*cost.node.op).options;
  const SharedGradients shared{.own = has(cost, Attention::kKeySegment),
                               .prefix = cost.used[Attention::kPrefixKey] || cost.used[Attention::kPrefixValue],
                               .bias = cost.used[Attention::kBiasTable],
                               .position_k = cost.used[Attention::kPositionKey],
                               .position_q = cost.used[Attention::kPositionQuery]};
  return AttentionScratch::backward(options, sizes_of(cost, options), shared).bytes();
}

std::int64_t cached_attention_scratch_bytes(const NodeCost& cost) {
  const AttentionOptions& options = static_cast<const CachedAttention&>(*cost.node.op).options;
  AttentionSizes sizes;
  if (has(cost, CachedAttention::kBiasTable)) sizes.buckets = cost.input(CachedAttention::kBiasTable).dims[0];
  return AttentionScratch::forward(options, sizes).bytes();
}

bool attention_runs_in_place(const Node& node, const Alias& alias) noexcept {
  if (dynamic_cast<const AttentionGrad*>(node.op.get()) == nullptr) return true;
  const bool knows_output = node.inputs.size() > AttentionGrad::kOutput && node.inputs[AttentionGrad::kOutput];
  return knows_output && alias.output == static_cast<std::int32_t>(Attention::kQuery);
}

bool attention_reads_columns(const Node& node, std::size_t operand) noexcept {
  const Op* op = node.op.get();
  return operand <= Attention::kValue && (dynamic_cast<const Attention*>(op) != nullptr || dynamic_cast<const AttentionGrad*>(op) != nullptr);
}

bool attention_writes_columns(const Node& node, std::size_t output) noexcept {
  return output <= Attention::kValue && dynamic_cast<const AttentionGrad*>(node.op.get()) != nullptr;
}

}  // namespace preamble::cuda
