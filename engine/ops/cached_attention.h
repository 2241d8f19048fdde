// Attention of single new positions to a key/value cache: the decoding step.
#pragma once

#include "engine/ops/attention.h"

namespace preamble {

/// Operands of `cached_attention`. Undefined values are absent.
struct CachedAttentionOperands {
  Value q;
  Value cache_k, cache_v;
  Value table, lengths;
  Value bias_table = {};
  Value prefix_k = {}, prefix_v = {};
  Value slots = {};
};

/// As `attention`, where each row is a sequence of its own (a live beam) whose last position asks:
/// o[r, h] = Σ_j p_j v[j] over the prefix of the row's slot, then over j < lengths[r] with v[j] = cache_v[table[r, j]].
///
///   q                 [rows(Q), H·d]
///   cache_k, cache_v  [N, G·d]           rows of all sequences in any order, shared where beams have a common past
///   table             i32 [rows(Q), L]   rows of the cache (within [0, N)) of the row's history, oldest first
///   lengths           i32 [rows(Q)]      how many of them count, at most L. Key j stands at j, the query at lengths[r] - 1
///   bias_table, prefix_k, prefix_v       as in `attention`
///   slots             i32 [rows(Q)]      absent: 0
///   o                 [rows(Q), H·d]
///
/// Every key is visible, whatever `options.causal`, unless it has left `options.window`. No gradient: forward only.
/// Throws ShapeError, DtypeError, ConfigError (options).
Value cached_attention(const CachedAttentionOperands& operands, const AttentionOptions& options);

class CachedAttention final : public Op {
 public:
  static constexpr std::size_t kQuery = 0, kCacheKey = 1, kCacheValue = 2, kTable = 3, kLengths = 4, kBiasTable = 5, kPrefixKey = 6,
                               kPrefixValue = 7, kSlots = 8;

  explicit CachedAttention(const AttentionOptions& given) : options(given) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "cached_attention"; }
  [[nodiscard]] std::vector<Type> infer(const OperandTypes& operands) const override;
  /// With L keys a row and as many prefix keys as a slot has on average.
  [[nodiscard]] double flops(const NodeCost& cost) const override;

  const AttentionOptions options;
};

}  // namespace preamble
