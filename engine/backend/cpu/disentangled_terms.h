// The position terms of disentangled attention for one block of queries and one head.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/attention_tile.h"
#include "engine/backend/cpu/block.h"
#include "engine/backend/cpu/small_product.h"

namespace preamble::PREAMBLE_ISA {

/// Products with the tables, [rows or keys, band], are made in `scratch` (AttentionScratch::terms) and gathered from there.
template <class T>
class DisentangledTerms {
 public:
  DisentangledTerms(const AttentionProblem<T>& problem, const QueryBlock& block, std::int64_t head, T* scratch) noexcept
      : problem_(problem),
        tables_(problem.disentangled),
        block_(block),
        column_(head * problem.dim),
        scratch_(scratch),
        queries_{rows_of(problem.q, block.first), block.rows, problem.q.width} {}

  /// scores[i, j] += scale (q[i] · position_k[t] + k[j] · position_q[t]), t the row of the pair's distance; [rows, width].
  void add(T* scores) const {
    if (tables_.position_k) {
      const KeyRange all{0, block_.keys.count};
      const TableBand band = band_of(all);
      times_table(queries_, tables_.position_k, band);
      for_pairs(all, [&](std::int64_t i, std::int64_t begin, std::int64_t end, const std::int32_t* at, std::int64_t step) {
        T* to = scores_of(scores, i) + begin;
        const T* from = scratch_ + i * band.count - band.first;
#pragma omp simd
        for (std::int64_t j = 0; j < end - begin; ++j) to[j] += from[at[j * step]];
      });
    }
    if (tables_.position_q) {
      for_panels([&](const KeyRange& keys) {
        const TableBand band = band_of(keys);
        times_table(matrix(keys), tables_.position_q, band);
        for_pairs(keys, [&](std::int64_t i, std::int64_t begin, std::int64_t end, const std::int32_t* at, std::int64_t step) {
          T* to = scores_of(scores, i) + keys.first + begin;
          const T* from = scratch_ + begin * band.count - band.first;
#pragma omp simd
          for (std::int64_t j = 0; j < end - begin; ++j) to[j] += from[j * band.count + at[j * step]];
        });
      });
    }
  }

  /// Gradients of the position terms from dS. Each is added to; null where it is not wanted. `dq` is the gradient of the whole operand,
  /// `dk` that of one head of the block's keys, `dposition_k` and `dposition_q` sums [2·span, H·d].
  void add_gradients(const T* gradients, const View& dq, const Block<T>& dk, T* dposition_k, T* dposition_q) const {
    if (tables_.position_k && (dq || dposition_k != nullptr)) {
      const KeyRange all{0, block_.keys.count};
      const TableBand band = band_of(all);
      std::fill_n(scratch_, block_.rows * band.count, T(0));
      for_pairs(all, [&](std::int64_t i, std::int64_t begin, std::int64_t end, const std::int32_t* at, std::int64_t step) {
        const T* from = scores_of(gradients, i) + begin;
        T* to = scratch_ + i * band.count - band.first;
        for (std::int64_t j = 0; j < end - begin; ++j) to[at[j * step]] += from[j];
      });
      T* to = dq ? dq.as<T>() + block_.first * dq.width + column_ : nullptr;
      add_products(queries_, tables_.position_k, band, {to, dq.width}, dposition_k);
    }
    if (tables_.position_q && (dk.data != nullptr || dposition_q != nullptr)) {
      for_panels([&](const KeyRange& keys) {
        const TableBand band = band_of(keys);
        std::fill_n(scratch_, keys.count * band.count, T(0));
        for_pairs(keys, [&](std::int64_t i, std::int64_t begin, std::int64_t end, const std::int32_t* at, std::int64_t step) {
          const T* from = scores_of(gradients, i) + keys.first + begin;
          T* to = scratch_ + begin * band.count - band.first;
          for (std::int64_t j = 0; j < end - begin; ++j) to[j * band.count + at[j * step]] += from[j];
        });
        T* to = dk.data != nullptr ? dk.data + keys.first * dk.stride : nullptr;
        add_products(matrix(keys), tables_.position_q, band, {to, dk.stride}, dposition_q);
      });
    }
  }

 private:
  /// Own keys [first, first + count) of the block.
  struct KeyRange {
    std::int64_t first = 0, count = 0;
  };

  /// One head of some rows.
  struct Rows {
    const T* data;
    std::int64_t count, width;
  };

  [[nodiscard]] const T* rows_of(const View& x, std::int64_t first) const noexcept { return x.as<const T>() + first * x.width + column_; }
  [[nodiscard]] Rows matrix(const KeyRange& keys) const noexcept {
    return {rows_of(problem_.k, block_.keys.first + keys.first), keys.count, problem_.k.width};
  }

  /// Scores of own keys of a query.
  template <class S>
  [[nodiscard]] S* scores_of(S* scores, std::int64_t i) const noexcept {
    return scores + i * block_.stride + block_.keys.prefixes;
  }

  [[nodiscard]] KeyPositions positions(const KeyRange& keys) const noexcept {
    const KeyPositions own = problem_.own_positions(block_);
    return {own.listed != nullptr ? own.listed + keys.first : nullptr, own.first + keys.first};
  }

  [[nodiscard]] TableBand band_of(const KeyRange& keys) const noexcept {
    const KeyPositions at = positions(keys);
    const std::int64_t low = at.listed != nullptr ? at.listed[0] : at.first;
    const std::int64_t high = at.listed != nullptr ? at.listed[keys.count - 1] : at.first + keys.count - 1;
    return tables_.band(block_.position[0], block_.position[block_.rows - 1], low, high);
  }

  /// Calls body(i, begin, end, at, step): query i sees keys [begin, end) of the range, and at[(j - begin) · step] is the row of key j.
  template <class Body>
  void for_pairs(const KeyRange& keys, const Body& body) const {
    for (std::int64_t i = 0; i < block_.rows; ++i) {
      const std::int64_t visible = std::clamp<std::int64_t>(block_.visible[i] - keys.first, 0, keys.count);
      for_distances(positions(keys), block_.position[i], visible, tables_.reach,
                    [&](std::int64_t begin, std::int64_t end, std::int64_t at, std::int64_t step) {
                      body(i, begin, end, tables_.row_at + at, step);
                    });
    }
  }

  /// A panel of keys has about as many distances as keys and queries together, of which each key needs as many as there are queries.
  template <class Body>
  void for_panels(const Body& body) const {
    const std::int64_t step = std::clamp<std::int64_t>(block_.rows, 4, 64);
    for (std::int64_t first = 0; first < block_.keys.count; first += step) body(KeyRange{first, std::min(step, block_.keys.count - first)});
  }

  /// scratch [count, band] = scale · x [count, dim] · table[band]ᵀ
  void times_table(const Rows& x, const View& table, const TableBand& band) const {
    cpu::Gemm<T> p;
    p.m = x.count, p.n = band.count, p.k = problem_.dim;
    p.a = x.data, p.lda = x.width;
    p.b = rows_of(table, band.first), p.ldb = table.width, p.transpose_b = true;
    p.c = scratch_, p.ldc = band.count, p.alpha = problem_.scale;
    product(p);
  }

  /// dx [count, dim] += scale · scratch · table[band],  dtable[band] += scale · scratchᵀ · x
  void add_products(const Rows& x, const View& table, const TableBand& band, const Block<T>& dx, T* dtable) const {
    cpu::Gemm<T> p;
    p.n = problem_.dim;
    p.a = scratch_, p.lda = band.count;
    p.alpha = problem_.scale, p.beta = 1;
    if (dx.data != nullptr) {
      p.m = x.count, p.k = band.count;
      p.b = rows_of(table, band.first), p.ldb = table.width;
      p.c = dx.data, p.ldc = dx.stride;
      product(p);
    }
    if (dtable != nullptr) {
      p.m = band.count, p.k = x.count, p.transpose_a = true;
      p.b = x.data, p.ldb = x.width;
      p.c = dtable + band.first * table.width + column_, p.ldc = table.width;
      product(p);
    }
  }

  const AttentionProblem<T>& problem_;
  const DisentangledTables<T>& tables_;
  const QueryBlock& block_;
  std::int64_t column_;  ///< of the head
  T* scratch_;
  Rows queries_;
};

}  // namespace preamble::PREAMBLE_ISA
