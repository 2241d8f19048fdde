// Softmax attention over segments of rows, with shared prefixes and relative positions. Probabilities are never stored.
#pragma once

#include "engine/graph/op.h"
#include "engine/ops/attention_dropout.h"
#include "engine/ops/disentangled_position.h"
#include "engine/ops/relative_position.h"

namespace preamble {

struct AttentionOptions {
  int heads = 1;
  int kv_heads = 1;                         ///< query head h reads key/value head h / (heads / kv_heads)
  double scale = 1;                         ///< of the scores: 1/√d in most models, 1 in T5
  bool causal = false;                      ///< a query sees keys that stand at its position or before, and those of `context`; prefix
                                            ///< keys are visible to all
  RelativePositions relative = {};          ///< how a bias table is read, where there is one
  DisentangledPositions disentangled = {};  ///< how position tables are read, where there are some
  bool prefix_has_positions = false;        ///< prefix key j of n stands at j - n and gets a bias; false: it gets none
  AttentionDropout dropout = {};            ///< of `attention` alone
  /// A query at position p sees keys from p - window + 1 on; 0: all of them. Prefix key j of n stands at j - n and leaves the window like any
  /// other. Without biases and position tables.
  int window = 0;
  bool keys_in_front = false;               ///< own key j of n stands at j - n, as those of a prefix

  bool operator==(const AttentionOptions&) const = default;
};

/// Operands of `attention`. Undefined values are absent.
struct AttentionOperands {
  Value q, k, v;
  Value bias_table = {};
  Value prefix_k = {}, prefix_v = {};
  Value position_k = {}, position_q = {};
  Value slots = {};
  Value kv_segment = {};
  Value context = {};
  Value dropout_key = {};
};

/// o[r, h] = Σ_j p_j v[j],  p = softmax_j(scale · q[r, h] · k[j] + bias[bucket(position j - position r), h])
/// where j runs over the prefix of the segment's slot, then over the keys of its own segment. With position tables (DeBERTa's
/// disentangled attention, He et al. 2021, eq. 4) scores of own keys have two more terms, with t the row of position r -
/// position j:   scale · (q[r, h] · (k[j] + position_k[t, h]) + position_q[t, h] · k[j])
///
///   q           [rows(Q), H·d]
///   k, v        [rows(K), G·d]   K may be Q's row space, another one, or hold the rows that Q was gathered from;
///                                G = kv_heads. Keys of a segment stand at ascending positions (`RowLayout::position`)
///   bias_table  [buckets, H]     T5's relative position biases; absent: no bias
///   prefix_k,   [rows(P), G·d]   one segment a slot; absent: no prefix
///   prefix_v
///   position_k, [rows(R), H·d]   2·span rows; each may be absent. Prefix keys have none of these terms. They exclude
///   position_q                   a bias table, and need H = G
///   slots       i32 [segments of Q]   the slot of each segment, absent: 0. A slot that P does not have: no prefix
///   kv_segment  i32 [segments of Q]   segment of K that each segment of Q attends to, absent: the same index. One that
///                                     K does not have: no own keys
///   context     i32 [segments of Q]   needs `causal`: keys at positions below it are visible to all queries of the segment, as in a
///                                     prefix language model (GLM's part A; Du et al. 2022). Absent: 0
///   dropout_key i32 [2]   random bits of this run; read where there is a rate of dropout
///   o           [rows(Q), H·d]   zero where a query sees no key
///   log_sum_exp [rows(Q), H]     output 1, of the scores; read by the gradient
///
/// With a window j runs over the keys whose position is near enough to the query's.
/// With dropout p_j has a random factor (`AttentionDropout`), made wherever it is needed and never stored.
///
/// Gradients, with S the scores, P = exp(S - log_sum_exp) computed again, M the factors of dropout or 1:
///   dP = M ∘ dO Vᵀ,  dS = P ∘ (dP - rowsum(P ∘ dP)),  dQ = scale dS K,  dK = scale dSᵀ Q,  dV = (M ∘ P)ᵀ dO,
///   dprefix_k, dprefix_v: the same, summed over the segments of a slot,  dbias_table[b, h] = Σ dS over pairs in bucket b;
///   with C[r, t] and D[j, t] = Σ dS over pairs at distance t: dQ += scale C position_k,  dposition_k = scale Cᵀ Q,
///   dK += scale D position_q,  dposition_q = scale Dᵀ K.
/// Keeps q, k, v and log_sum_exp. Where the prefix alone has a gradient, rowsum(P ∘ dP) = rowsum(dO ∘ O) stands in for the sum over
/// all keys: the prefix is all that S is computed for, and o is kept instead of k and v. (Vaswani et al. 2017; the recomputation:
/// Dao et al. 2022.) Row-wise in q, as far as a row keeps its place.
/// Throws ShapeError, DtypeError, ConfigError (options).
Value attention(const AttentionOperands& operands, const AttentionOptions& options);

class Attention final : public Op {
 public:
  static constexpr std::size_t kQuery = 0, kKey = 1, kValue = 2, kBiasTable = 3, kPrefixKey = 4, kPrefixValue = 5, kPositionKey = 6,
                               kPositionQuery = 7, kSlots = 8, kKeySegment = 9, kContext = 10, kDropoutKey = 11;
  static constexpr std::size_t kOutput = 0, kLogSumExp = 1;

  explicit Attention(const AttentionOptions& given) : options(given) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "attention"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Value> gradients(const GradientRequest& request) const override;
  [[nodiscard]] Alignment aligned() const noexcept override { return {1U << kQuery, Alignment::Reads::row_and_place}; }
  /// o may overwrite q.
  [[nodiscard]] std::vector<Alias> aliases() const override;
  /// 4 H d a pair of query and key, with as many keys a query as a segment has rows on average (capacities); half the own
  /// ones if causal without a context. Masks are 10 a pair and head.
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const AttentionOptions options;

 private:
  /// Where nothing but the prefix has a gradient; else empty.
  [[nodiscard]] std::vector<Value> prefix_gradients(const GradientRequest& request) const;
};

/// Gradients of `attention`, those that are read. Operands 0-11 as there, 12 dO, 13 log_sum_exp; 14 o, where k and v are a part of the
/// keys and values that o and log_sum_exp were made of.
/// Outputs 0-7 as the operands of `attention` (empty for an absent operand). dQ may overwrite dO.
class AttentionGrad final : public Op {
 public:
  static constexpr std::size_t kOutputGradient = 12, kLogSumExp = 13, kOutput = 14;
  static constexpr int kFewestHeadsInPlace = 4;

  /// `joint_keys`: k and v are one value; output 1 is the sum of both gradients, and output 2 is not used.
  AttentionGrad(const AttentionOptions& given, bool joint_keys);
  [[nodiscard]] std::string_view name() const noexcept override { return "attention_grad"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  [[nodiscard]] std::vector<Alias> aliases() const override;
  /// 2 H d a pair of query and key for each product: scores, dP, and one for each gradient that is read.
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const AttentionOptions options;
  const bool joint;
  /// dK and dV may overwrite k and v: sums of a head and a segment lie in scratch memory until its keys have been read. With fewer heads of
  /// keys than `kFewestHeadsInPlace` this scratch memory would be larger than dK and dV.
  const bool keys_in_place;
};

/// Throws ConfigError in the name of `op` for options that fit no operands.
void require_options(const Op& op, const AttentionOptions& options);

/// Throws ConfigError, UnsupportedError in the name of `op` for a window that the kernels don't know. `biased`: with a bias table or
/// position tables.
void require_window(const Op& op, const AttentionOptions& options, bool biased);

/// Checks a bias table [buckets, H] and prefix keys and values [rows(P), G·d], all of them optional. `slots` needs a prefix.
void require_bias_and_prefix(const Op& op, const OperandTypes& operands, const AttentionOptions& options, std::size_t bias_table,
                             std::size_t prefix_key, std::size_t slots, std::int64_t kv_width);

}  // namespace preamble
