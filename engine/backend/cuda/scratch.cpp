#include "engine/backend/cuda/scratch.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/adafactor_scratch.h"
#include "engine/backend/cuda/attention_scratch.h"
#include "engine/backend/cuda/linear_scratch.h"
#include "engine/backend/cuda/loss_scratch.h"
#include "engine/backend/cuda/lstm_scratch.h"
#include "engine/backend/cuda/partial_sums.h"
#include "engine/ops/adafactor.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/gradient_norm.h"
#include "engine/ops/head_linear.h"
#include "engine/ops/linear.h"
#include "engine/ops/linear_cross_entropy.h"
#include "engine/ops/lstm.h"
#include "engine/ops/norm.h"
#include "engine/ops/segment_cross_entropy.h"
#include "engine/ops/top_k.h"

namespace preamble::cuda {
namespace {

constexpr std::int64_t kDouble = sizeof(double), kFloat = sizeof(float), kIndex = sizeof(std::int32_t);

bool has(const NodeCost& cost, std::size_t operand) { return operand < cost.node.inputs.size() && cost.node.inputs[operand].defined(); }

template <class Node>
const Node& op_of(const NodeCost& cost) {
  return static_cast<const Node&>(*cost.node.op);
}

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
  return sums * kNormParts * cost.output(0).width() * kFloat;
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

std::int64_t sum_rows(const NodeCost& cost) { return kRowParts * cost.input(0).width() * kFloat; }

/// A bit for each entry of each row, if some are asked for.
std::int64_t top_k(const NodeCost& cost) {
  const Type& logits = cost.input(TopK::kLogits);
  return has(cost, TopK::kAsked) ? cost.rows(logits) * ((logits.width() + 31) / 32) * kIndex : 0;
}

struct Entry {
  std::string_view op;
  std::int64_t (*bytes)(const NodeCost&);
};

/// Sorted by name.
constexpr std::array kEntries = {
    Entry{"adafactor", adafactor},
    Entry{"attention", attention_scratch_bytes},
    Entry{"attention_grad", attention_grad_scratch_bytes},
    Entry{"cached_attention", cached_attention_scratch_bytes},
    Entry{"cross_entropy", cross_entropy},
    Entry{"dot", dot},
    Entry{"gradient_norm", gradient_norm},
    Entry{"head_linear", head_linear},
    Entry{"linear", linear},
    Entry{"linear_cross_entropy", linear_cross_entropy},
    Entry{"lstm", lstm},
    Entry{"lstm_grad", lstm_grad},
    Entry{"norm_grad", norm_grad},
    Entry{"scatter_add_rows", scatter_add_rows},
    Entry{"segment_cross_entropy", segment_cross_entropy},
    Entry{"sum_rows", sum_rows},
    Entry{"top_k", top_k},
};

}  // namespace

std::int64_t scratch(const NodeCost& cost) {
  const std::string_view name = cost.node.op->name();
  const auto found = std::ranges::lower_bound(kEntries, name, {}, &Entry::op);
  return found != kEntries.end() && found->op == name ? found->bytes(cost) : 0;
}

/// The other kernels read what they overwrite before they write it.
bool runs_in_place(const Op& op, const Alias& alias) noexcept { return attention_runs_in_place(op, alias); }

}  // namespace preamble::cuda
