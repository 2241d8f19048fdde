// Queries, rows of dO and what is known of both, on their way to a block that owns keys. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_key_shared.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"

namespace preamble::cuda::tensor {

/// The first 128 threads of a block copy.
template <int D, Extras extras, class Shared>
class QueryCopies {
 public:
  static constexpr bool kExtras = extras != Extras::none, kAll = extras == Extras::all;

  __device__ QueryCopies(const AttentionProblem& problem, const AttentionGradients& given, int kv_head, Shared& shared)
      : p_(problem), given_(given), s_(shared), is_narrow_(problem.q.narrow && given.output_gradient.narrow) {
    // a head of its own: of several that share the keys, copies are worked out for each step
    if (is_narrow_) copy_q_ = {p_.q, kv_head * p_.dim, p_.dim}, copy_g_ = {given_.output_gradient, kv_head * p_.dim, p_.dim};
  }

  /// Begins to copy keys and values [first, first + rows) of a head to tiles `k` and `v`; zeros behind them.
  template <int keys>
  __device__ void fetch_keys(bool prefix, int first, int rows, int kv_head, Bf16* k, Bf16* v) const {
    constexpr int kPart = keys < 64 ? keys : 64;
    const auto find = [&](const RowsIn& x, int part) {
      return [&, first, rows, part](int r) { return Source{x, part + r < rows ? first + part + r : -1}; };
    };
#pragma unroll 1
    for (int part = 0; part < keys; part += kPart) {
      SharedRows<D>::template fill<kPart>(k + part * D, kv_head * p_.dim, p_.dim, find(RowsIn::pick(prefix, p_.prefix_k, p_.k), part));
      SharedRows<D>::template fill<kPart>(v + part * D, kv_head * p_.dim, p_.dim, find(RowsIn::pick(prefix, p_.prefix_v, p_.v), part));
    }
  }

  /// Begins to copy what a step reads.
  __device__ void fetch(const Step& step, int stage) const {
    const QueryTile& queries = step.queries;
    if (queries.rows == kQueries && is_narrow_ && p_.group == 1) {
      copy_q_.begin(s_.q[stage], queries.first, p_.dim);
      copy_g_.begin(s_.g[stage], queries.first, p_.dim);
    } else {
      const auto find = [&](const RowsIn& x) { return [&](int r) { return Source{x, r < queries.rows ? queries.first + r : -1}; }; };
      SharedRows<D>::template fill<kQueries>(s_.q[stage], step.head * p_.dim, p_.dim, find(p_.q));
      SharedRows<D>::template fill<kQueries>(s_.g[stage], step.head * p_.dim, p_.dim, find(given_.output_gradient));
    }
    const auto* record = reinterpret_cast<const uint4*>(p_.tiles + Visibility::place(queries.segment, queries.first));
    constexpr int kPieces = sizeof(Visibility) / sizeof(uint4);
    if (threadIdx.x < kPieces) copy_16_async(reinterpret_cast<uint4*>(&s_.tile[stage]) + threadIdx.x, record + threadIdx.x, true);
    if (threadIdx.x == 0) s_.segment[stage] = queries.segment, s_.head[stage] = step.head;
    // a row that does not exist gets zeros: it sees no key
    const int r = static_cast<int>(threadIdx.x) % kQueries;
    const bool exists = r < queries.rows;
    const std::int64_t row = queries.first + (exists ? r : 0);
    const std::int64_t at = row * p_.heads + step.head;
    if (threadIdx.x < kQueries) {
      copy_4_async(statistic(stage, r, 0), given_.log_sum_exp + at, exists);
      copy_4_async(&s_.seen[stage][r], p_.seen + row, exists);
      if (kExtras && (p_.bias != nullptr || p_.mask)) copy_4_async(&s_.position[stage][r], p_.q_layout->positions + row, exists);
    } else {
      copy_4_async(statistic(stage, r, 1), given_.products + at, exists);
      if (kAll && p_.window > 0) copy_4_async(&s_.hidden[stage][r], p_.hidden + row, exists);
    }
  }

 private:
  /// Σ P ∘ dP (which = 1) or log_sum_exp (0) of a query of the tile.
  [[nodiscard]] __device__ float* statistic(int stage, int query, int which) const {
    return reinterpret_cast<float*>(&s_.statistics[stage][query / 2][which]) + query % 2;
  }

  const AttentionProblem& p_;
  const AttentionGradients& given_;
  Shared& s_;
  bool is_narrow_;
  typename SharedRows<D>::template Copy<kQueries, kBlockThreads> copy_q_, copy_g_;
};

}  // namespace preamble::cuda::tensor
