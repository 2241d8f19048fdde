// The best tokens of each row of logits.
#pragma once

#include <cstdint>

#include "engine/graph/op.h"

namespace preamble {

/// What `top_k` reads besides the logits; each may be absent.
struct TopKOperands {
  Value asked;   ///< [rows, A] i32: entries whose scores are wanted whatever they are, each below V; negative: none
  Value offset;  ///< [rows]: added to the scores of a row
};

struct TopKResult {
  Value scores;   ///< [rows, k]
  Value index;    ///< [rows, k] i32
  Value largest;  ///< [rows]
  Value log_sum;  ///< [rows]
  Value asked;    ///< [rows, A]; undefined without `TopKOperands::asked`
};

/// The k largest scores of each row among the entries that are not asked for, best first, of equal scores the smaller index first.
///
///   logits   [rows, V];  1 <= k <= V
///   scores   [rows, k]   p[r, index] + offset[r]; -inf where a row has fewer than k entries that are not asked for
///   index    [rows, k]   their indices; -1 where there is none
///   largest  [rows]      max_v logits[r, v]; NaN if a logit of the row is NaN, and then the other results of the row mean nothing
///   log_sum  [rows]      log Σ_v exp(logits[r, v] - largest[r]); without `log_probabilities` it is computed only if it is read
///   asked    [rows, A]   p[r, asked[r, a]], without the offset; -inf where asked[r, a] is negative
///
/// with p[r, v] = (logits[r, v] - largest[r]) - log_sum[r] if `log_probabilities`, else logits[r, v]. Each of these operations is rounded to
/// the graph's statistic type, so scores that become equal by rounding count as equal. Results are of that type. Nothing has a gradient.
TopKResult top_k(Value logits, std::int64_t k, bool log_probabilities, const TopKOperands& operands = {});

/// Operands 0 logits, 1 asked, 2 offset; outputs 0 scores, 1 index, 2 largest, 3 log_sum and, if something is asked for, 4 asked.
class TopK final : public Op {
 public:
  static constexpr std::size_t kLogits = 0, kAsked = 1, kOffset = 2;
  static constexpr std::size_t kScores = 0, kIndex = 1, kLargest = 2, kLogSum = 3, kAskedScores = 4;

  TopK(std::int64_t k, bool log_probabilities) : count(k), normalises(log_probabilities) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "top_k"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const std::int64_t count;  ///< k
  const bool normalises;     ///< scores are log-probabilities
};

}  // namespace preamble
