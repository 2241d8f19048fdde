#include "engine/backend/cpu/scratch.h"

#include <algorithm>
#include <array>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/attention_scratch.h"
#include "engine/backend/cpu/converted_rows.h"
#include "engine/backend/cpu/converted_values.h"
#include "engine/backend/cpu/feed_forward_scratch.h"
#include "engine/backend/cpu/few_rows_limit.h"
#include "engine/backend/cpu/linear_bf16_scratch.h"
#include "engine/backend/cpu/loss_bf16_scratch.h"
#include "engine/backend/cpu/loss_chunks.h"
#include "engine/backend/cpu/partial_sums.h"
#include "engine/backend/cpu/table.h"
#include "engine/backend/cpu/top_k_scratch.h"
#include "engine/backend/scratch_table.h"
#include "engine/graph/node_cost.h"
#include "engine/ops/cached_attention.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/feed_forward.h"
#include "engine/ops/head_linear.h"
#include "engine/ops/linear.h"
#include "engine/ops/linear_cross_entropy.h"
#include "engine/ops/lstm.h"
#include "engine/ops/norm.h"
#include "engine/ops/segment_cross_entropy.h"
#include "engine/ops/top_k.h"

namespace preamble::cpu {
namespace {

constexpr std::int64_t kDouble = sizeof(double);

/// What kernels compute in: the graph's real type, but float32 for bf16.
Dtype computed(const NodeCost& cost) { return cost.graph.statistic(); }

std::int64_t element(const NodeCost& cost) { return static_cast<std::int64_t>(size_of(computed(cost))); }

/// Does the kernel convert a frozen matrix into what it computes in?
bool converts(const NodeCost& cost, std::size_t operand) { return cost.input(operand).dtype != computed(cost); }

/// What both attention ops are given.
AttentionSizes attention_sizes(const NodeCost& cost) {
  AttentionSizes sizes;
  const Type& q = cost.input(Attention::kQuery);
  const Type& k = cost.input(Attention::kKey);
  sizes.q_rows = cost.rows(q);
  sizes.q_segments = cost.graph.rows(q.rows).segments;
  sizes.k_segments = cost.graph.rows(k.rows).segments;
  if (has(cost, Attention::kPrefixKey)) sizes.prefix_rows = cost.rows(cost.input(Attention::kPrefixKey));
  sizes.keys = cost.rows(k) + sizes.prefix_rows;
  sizes.kv_width = k.width();
  if (has(cost, Attention::kBiasTable)) sizes.buckets = cost.input(Attention::kBiasTable).dims[0];
  for (const std::size_t i : {Attention::kPositionKey, Attention::kPositionQuery}) {
    if (has(cost, i)) sizes.positions = cost.rows(cost.input(i));
  }
  sizes.element = element(cost);
  sizes.shared_keys = has(cost, Attention::kKeySegment);
  sizes.panels = activation_type(cost.node) == Dtype::bf16 && own_kernel(best_kernel_table(), cost.node) != nullptr;
  return sizes;
}

std::int64_t attention(const NodeCost& cost) {
  return AttentionScratch::forward(op_of<Attention>(cost).options, attention_sizes(cost)).bytes();
}

std::int64_t attention_grad(const NodeCost& cost) {
  const auto& op = op_of<AttentionGrad>(cost);
  const SharedGradients shared{.prefix = cost.used[Attention::kPrefixKey] || cost.used[Attention::kPrefixValue],
                               .bias = cost.used[Attention::kBiasTable],
                               .positions = cost.used[Attention::kPositionKey] || cost.used[Attention::kPositionQuery],
                               .keys_in_place = op.keys_in_place,
                               .joint = op.joint};
  return AttentionScratch::backward(op.options, attention_sizes(cost), shared).bytes();
}

std::int64_t cached_attention(const NodeCost& cost) {
  using Cached = CachedAttention;
  AttentionSizes sizes;
  sizes.keys = cost.input(Cached::kTable).dims[0] + (has(cost, Cached::kPrefixKey) ? cost.rows(cost.input(Cached::kPrefixKey)) : 0);
  if (has(cost, Cached::kBiasTable)) sizes.buckets = cost.input(Cached::kBiasTable).dims[0];
  sizes.element = element(cost);
  return AttentionScratch::cached(op_of<Cached>(cost).options, sizes).bytes();
}

std::int64_t cross_entropy(const NodeCost& cost) { return cost.rows(cost.input(CrossEntropy::kLogits)) * kDouble; }

std::int64_t dot(const NodeCost& cost) {
  const std::int64_t count = cost.rows(cost.input(0)) * cost.input(0).width();
  return (count + kDotBlock - 1) / kDotBlock * kDouble;
}

template <class Fused>
std::int64_t feed_forward_chunks(const NodeCost& cost, std::int64_t chunks) {
  const FeedForwardShape shape = feed_forward_shape(op_of<Fused>(cost), cost);
  const auto s = FeedForwardScratch::of(cost.rows(cost.output(0)), shape.in, shape.width, shape.out,
                                        converts(cost, Fused::kFirstWeight), converts(cost, Fused::kSecondWeight));
  return (s.first_weight + s.second_weight + chunks * s.chunk) * element(cost);
}

/// A chunk, or the whole wide value of a few rows.
std::int64_t feed_forward(const NodeCost& cost) {
  const std::int64_t few = std::min(cost.rows(cost.output(0)), kFewRows) * feed_forward_shape(op_of<FeedForward>(cost), cost).width;
  return std::max(feed_forward_chunks<FeedForward>(cost, 1), few * element(cost));
}

std::int64_t feed_forward_grad(const NodeCost& cost) {
  return feed_forward_chunks<FeedForwardGrad>(cost, op_of<FeedForwardGrad>(cost).recomputes ? 2 : 1);
}

/// The whole weight, if it is stored in another type.
std::int64_t head_linear(const NodeCost& cost) {
  return converts(cost, HeadLinear::kWeight) ? cost.input(HeadLinear::kWeight).width() * element(cost) : 0;
}

/// W x + b where only the mask of relu is read (a recomputation), then a block of the weight, if it is stored in another type.
std::int64_t linear(const NodeCost& cost) {
  const bool mask_alone = op_of<Linear>(cost).activation == ActivationKind::relu && !cost.used[0];
  const std::int64_t sum = mask_alone ? cost.graph.bytes(cost.output(0)) : 0;
  const Type& w = cost.input(Linear::kWeight);
  if (!converts(cost, Linear::kWeight)) return sum;
  return sum + converted_rows(w.dims[0], w.dims[1]) * w.dims[1] * element(cost);
}

std::int64_t linear_cross_entropy(const NodeCost& cost) {
  const Type& x = cost.input(LinearCrossEntropy::kInput);
  const Type& w = cost.input(LinearCrossEntropy::kWeights);
  const bool converted = converts(cost, LinearCrossEntropy::kWeights);
  const auto chunks = LossChunks::of(cost.rows(x), x.width(), w.dims[0], converted);
  const std::int64_t numbers = chunks.rows * w.dims[0] + (converted ? chunks.vocabulary * x.width() : 0);
  return chunks.rows * kDouble + numbers * element(cost);
}

std::int64_t lstm(const NodeCost& cost) { return 6 * cost.output(0).width() * element(cost); }

std::int64_t lstm_grad(const NodeCost& cost) { return 6 * cost.input(LstmGrad::kHidden).width() * element(cost); }

std::int64_t norm_grad(const NodeCost& cost) {
  const int sums = (cost.used[1] ? 1 : 0) + (cost.used[2] ? 1 : 0);
  const std::int64_t rows = cost.rows(cost.output(0)) * op_of<NormGrad>(cost).parts;
  return sums * std::min(rows, kNormGradBlocks) * cost.output(1).width() * element(cost);
}

std::int64_t segment_cross_entropy(const NodeCost& cost) {
  return cost.graph.rows(cost.input(SegmentCrossEntropy::kLogits).rows).segments * kDouble;
}

std::int64_t top_k(const NodeCost& cost) {
  if (!cost.used[TopK::kScores] && !cost.used[TopK::kIndex]) return 0;
  const Type& logits = cost.input(TopK::kLogits);
  return cost.rows(logits) * TopKScratch::of(logits.width(), op_of<TopK>(cost).count, has(cost, TopK::kAsked), element(cost)).row();
}

constexpr std::array kEntries = {
    ScratchEntry{"attention", attention},
    ScratchEntry{"attention_grad", attention_grad},
    ScratchEntry{"cached_attention", cached_attention},
    ScratchEntry{"cross_entropy", cross_entropy},
    ScratchEntry{"dot", dot},
    ScratchEntry{"feed_forward", feed_forward},
    ScratchEntry{"feed_forward_grad", feed_forward_grad},
    ScratchEntry{"head_linear", head_linear},
    ScratchEntry{"linear", linear},
    ScratchEntry{"linear_cross_entropy", linear_cross_entropy},
    ScratchEntry{"lstm", lstm},
    ScratchEntry{"lstm_grad", lstm_grad},
    ScratchEntry{"norm_grad", norm_grad},
    ScratchEntry{"segment_cross_entropy", segment_cross_entropy},
    ScratchEntry{"top_k", top_k},
};
static_assert(std::ranges::is_sorted(kEntries, {}, &ScratchEntry::op));

/// Of kernels for activations in bf16.
std::int64_t own_bf16(const NodeCost& cost) {
  if (cost.node.op->name() == "linear") {
    const Type& x = cost.input(Linear::kInput);
    return linear_bf16_bytes(cost.rows(x), x.width(), cost.output(0).width());
  }
  if (cost.node.op->name() == "head_linear") return cost.input(HeadLinear::kWeight).width() * std::int64_t{sizeof(BFloat16)};
  if (cost.node.op->name() == "norm_grad") return norm_grad(cost);
  if (cost.node.op->name() == "attention") return attention(cost);
  if (cost.node.op->name() == "attention_grad") return attention_grad(cost);
  if (cost.node.op->name() != "linear_cross_entropy") return 0;
  const Type& x = cost.input(LinearCrossEntropy::kInput);
  return LossBf16Scratch::of(cost.rows(x), x.width(), cost.input(LinearCrossEntropy::kWeights).dims[0]).bytes;
}

}  // namespace

std::int64_t scratch(const NodeCost& cost) {
  if (activation_type(cost.node) != Dtype::bf16) return scratch_of(kEntries, cost);
  if (own_kernel(best_kernel_table(), cost.node) != nullptr) return own_bf16(cost);
  std::int64_t bytes = scratch_of(kEntries, cost);
  if (converts_by_rows(cost.node, cost.used)) {
    const auto rows = ConvertedRows::of(cost.graph, cost.node, cost.used);
    return bytes + rows.whole + ConvertedRows::kLanes * rows.lane;
  }
  for (const Value& input : cost.node.inputs) {
    if (input && is_converted(cost.graph, input)) bytes += converted_bytes(cost.graph, input.type());
  }
  for (std::size_t i = 0; i < cost.node.outputs.size(); ++i) {
    const Type& type = cost.output(i);
    if (cost.used[i] && type.dtype == Dtype::bf16) bytes += converted_bytes(cost.graph, type);
  }
  return bytes;
}

}  // namespace preamble::cpu
