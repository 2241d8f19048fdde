#include "engine/backend/cuda/scratch.h"

#include <algorithm>
#include <array>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/adafactor_scratch.h"
#include "engine/backend/cuda/attention_scratch.h"
#include "engine/backend/cuda/element_bytes.h"
#include "engine/backend/cuda/linear_scratch.h"
#include "engine/backend/cuda/loss_scratch.h"
#include "engine/backend/cuda/lstm_scratch.h"
#include "engine/backend/cuda/partial_sums.h"
#include "engine/backend/scratch_table.h"
#include "engine/graph/node_cost.h"
#include "engine/ops/adafactor.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/gradient_norm.h"
#include "engine/ops/gated.h"
#include "engine/ops/head_linear.h"
#include "engine/ops/joined_linear.h"
#include "engine/ops/linear.h"
#include "engine/ops/linear_cross_entropy.h"
#include "engine/ops/lstm.h"
#include "engine/ops/norm.h"
#include "engine/ops/segment_cross_entropy.h"
#include "engine/ops/segment_likelihood.h"
#include "engine/ops/top_k.h"

namespace preamble::cuda {
namespace {

/// Means, rates and sums of squares.
std::int64_t adafactor(const NodeCost& cost) {
  const auto& op = op_of<Adafactor>(cost);
  std::int64_t blocks = 0;
  for (std::size_t i = 0; i < op.parameters(); ++i) blocks += list_blocks(cost.input(op.operand(i)).width());
  return AdafactorScratch::of(static_cast<std::int64_t>(op.parameters()), blocks).bytes();
}

/// A number for each row.
std::int64_t cross_entropy(const NodeCost& cost) { return cost.rows(cost.input(CrossEntropy::kLogits)) * kDouble; }

/// Sums of squares, where nobody reads them.
std::int64_t gradient_norm(const NodeCost& cost) {
  return cost.used[GradientNorm::kPartial] ? 0 : cost.output(GradientNorm::kPartial).width() * kDouble;
}

std::int64_t dot(const NodeCost& /*cost*/) { return kElementParts * kDouble; }

/// All biases, in the type of activations.
std::int64_t joined_linear(const NodeCost& cost) {
  if (!has(cost, op_of<JoinedLinear>(cost).bias(0))) return 0;
  return scratch_bytes(cost.output(0).width() * static_cast<std::int64_t>(size_of(cost.output(0).dtype)));
}

/// The whole weight, if it is stored in another type.
std::int64_t head_linear(const NodeCost& cost) {
  const Type& w = cost.input(HeadLinear::kWeight);
  const Dtype activation = activation_type(cost.node);
  return w.dtype == activation ? 0 : w.width() * static_cast<std::int64_t>(size_of(activation));
}

std::int64_t linear(const NodeCost& cost) {
  const auto& op = op_of<Linear>(cost);
  LinearSizes sizes{.rows = cost.rows(cost.output(0)),
                    .k = cost.input(Linear::kInput).width(),
                    .n = cost.output(0).width(),
                    .activation = activation_type(cost.node),
                    .weight = cost.input(Linear::kWeight).dtype,
                    .has_bias = has(cost, Linear::kBias),
                    .mask_alone = op.activation == ActivationKind::relu && !cost.used[0]};
  if (sizes.has_bias) sizes.bias = cost.input(Linear::kBias).dtype;
  return LinearScratch::of(sizes).bytes();
}

std::int64_t linear_cross_entropy(const NodeCost& cost) {
  using Head = LinearCrossEntropy;
  const Type& x = cost.input(Head::kInput);
  const Type& w = cost.input(Head::kWeights);
  return LossScratch::of({.rows = cost.rows(x),
                          .width = x.width(),
                          .vocabulary = w.dims[0],
                          .activation = activation_type(cost.node),
                          .weight = w.dtype,
                          .differentiates_bias = cost.used[Head::kBiasGradient]})
      .bytes();
}

LstmScratch lstm_scratch(const NodeCost& cost, const Type& h) {
  return LstmScratch::of({.rows = cost.rows(h), .segments = cost.graph.rows(h.rows).segments, .hidden = h.width(), .activation = h.dtype});
}

std::int64_t lstm(const NodeCost& cost) { return lstm_scratch(cost, cost.output(0)).forward_bytes(); }

std::int64_t lstm_grad(const NodeCost& cost) { return lstm_scratch(cost, cost.input(LstmGrad::kHidden)).backward_bytes(); }

std::int64_t norm_grad(const NodeCost& cost) {
  const int sums = (cost.used[1] ? 1 : 0) + (cost.used[2] ? 1 : 0);
  return sums * kNormParts * cost.output(1).width() * kFloat;
}

/// Sums over parts of the rows for a small table, else two numbers for each row.
std::int64_t scatter_add_rows(const NodeCost& cost) {
  const Type& out = cost.output(0);
  if (!out.has_rows() && out.dims[0] <= kFewRows) return kRowParts * out.width() * kFloat;
  return 2 * cost.rows(cost.input(ScatterAddRows::kGradient)) * kIndex;
}

std::int64_t segment_cross_entropy(const NodeCost& cost) {
  const Type& logits = cost.input(SegmentCrossEntropy::kLogits);
  return cost.graph.rows(logits.rows).segments * logits.width() * kDouble;
}

/// The loss of each row.
std::int64_t segment_likelihood(const NodeCost& cost) { return cost.rows(cost.input(SegmentLikelihood::kLogits)) * kDouble; }

/// A weight for each row.
std::int64_t segment_likelihood_grad(const NodeCost& cost) { return cost.rows(cost.input(SegmentLikelihoodGrad::kLogits)) * kFloat; }

std::int64_t sum_rows(const NodeCost& cost) { return kRowParts * cost.input(0).width() * kFloat; }

/// A bit for each entry of each row, if some are asked for.
std::int64_t top_k(const NodeCost& cost) {
  const Type& logits = cost.input(TopK::kLogits);
  return has(cost, TopK::kAsked) ? cost.rows(logits) * ((logits.width() + 31) / 32) * kIndex : 0;
}

constexpr std::array kEntries = {
    ScratchEntry{"adafactor", adafactor},
    ScratchEntry{"attention", attention_scratch_bytes},
    ScratchEntry{"attention_grad", attention_grad_scratch_bytes},
    ScratchEntry{"cached_attention", cached_attention_scratch_bytes},
    ScratchEntry{"cross_entropy", cross_entropy},
    ScratchEntry{"dot", dot},
    ScratchEntry{"gradient_norm", gradient_norm},
    ScratchEntry{"head_linear", head_linear},
    ScratchEntry{"joined_linear", joined_linear},
    ScratchEntry{"linear", linear},
    ScratchEntry{"linear_cross_entropy", linear_cross_entropy},
    ScratchEntry{"lstm", lstm},
    ScratchEntry{"lstm_grad", lstm_grad},
    ScratchEntry{"norm_grad", norm_grad},
    ScratchEntry{"scatter_add_rows", scatter_add_rows},
    ScratchEntry{"segment_cross_entropy", segment_cross_entropy},
    ScratchEntry{"segment_likelihood", segment_likelihood},
    ScratchEntry{"segment_likelihood_grad", segment_likelihood_grad},
    ScratchEntry{"sum_rows", sum_rows},
    ScratchEntry{"top_k", top_k},
};
static_assert(std::ranges::is_sorted(kEntries, {}, &ScratchEntry::op));

}  // namespace

std::int64_t scratch(const NodeCost& cost) { return scratch_of(kEntries, cost); }

/// The other kernels read what they overwrite before they write it.
bool runs_in_place(const Node& node, const Alias& alias) noexcept { return attention_runs_in_place(node, alias); }

bool reads_columns(const Node& node, std::size_t operand) noexcept {
  const Op* op = node.op.get();
  const bool gate = dynamic_cast<const Gated*>(op) != nullptr || dynamic_cast<const GatedGrad*>(op) != nullptr;
  return gate ? operand < 2 : attention_reads_columns(node, operand);
}

bool writes_columns(const Node& node, std::size_t output) noexcept {
  return dynamic_cast<const GatedGrad*>(node.op.get()) != nullptr || attention_writes_columns(node, output);
}

}  // namespace preamble::cuda
