// The kernels of attention, as their ops launch them. Included by .cu files alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cuda/attention/problem.cuh"
#include "engine/backend/cuda/attention/walk.cuh"

namespace preamble::cuda {

/// What a launch is made for: bounds of a run.
struct AttentionGrid {
  const Queue& queue;
  View q;

  /// Tiles of so many queries, times heads, times layers.
  [[nodiscard]] dim3 queries(std::int64_t tile_rows, std::int64_t heads, unsigned layers = 1) const {
    return {static_cast<unsigned>(q.tiles(tile_rows)), static_cast<unsigned>(heads), layers};
  }
  /// Rows of an average segment of queries.
  [[nodiscard]] std::int64_t average_queries() const { return q.rows / std::max<std::int64_t>(q.segments, 1); }
};

/// Results of the forward pass; each may be absent.
struct AttentionResults {
  RowsOut output;
  float* log_sum_exp = nullptr;  ///< [rows(Q), H]
};

/// What the backward pass reads beside the problem.
struct AttentionGradients {
  RowsIn output_gradient;
  const float* log_sum_exp = nullptr;
  float* products = nullptr;  ///< Σ P ∘ dP of each row and head: made once, then read
};

/// Gradients of keys and values that a launch makes.
struct KeyGradients {
  KeyTarget target;
  std::int64_t rows = 0, segments = 0;  ///< of the keys: bounds of the run
  RowsOut keys, values;                 ///< each may be absent; of chunk 0
  std::int64_t chunk_elements = 0;      ///< from one chunk's sums to the next
  bool joint = false;                   ///< `keys` gets both gradients

  /// Tiles of so many keys, times heads, times chunks.
  [[nodiscard]] dim3 grid(std::int64_t tile_rows, std::int64_t kv_heads) const {
    return {static_cast<unsigned>(rows / tile_rows + segments), static_cast<unsigned>(kv_heads), static_cast<unsigned>(target.chunks)};
  }
  /// Rows of an average segment.
  [[nodiscard]] std::int64_t average_keys() const { return rows / std::max<std::int64_t>(segments, 1); }
};

/// Any type of operands, any size of heads, position tables: float32 arithmetic.
namespace general {
/// `output` and `query_gradient` make columns [0, 64), [64, 128), ... of a head in blocks of their own: wide heads may not be made in
/// the memory of an operand.
void output(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionResults& results);
void products(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients);
void query_gradient(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients, const RowsOut& dq);
void key_gradients(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients, const KeyGradients& to);
}  // namespace general

/// Partial sums of the gradients of tables; each may be absent.
struct TableGradients {
  float* bias = nullptr;  ///< [chunks, buckets, H]
  std::int32_t buckets = 0;
  float* position_k = nullptr;  ///< [chunks, positions, H d]
  float* position_q = nullptr;
  std::int32_t positions = 0;
  std::int32_t chunks = 1;
};
void table_gradients(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients,
                     const TableGradients& to);

/// Heads of up to 128 columns, a multiple of 8, bf16 queries, no position tables: bf16 operands and float32 sums on tensor cores.
namespace tensor {
void output(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionResults& results);
void products(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients);
void query_gradient(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients, const RowsOut& dq);
/// dQ and Σ P ∘ dP in one pass over the keys, where `makes_both`.
[[nodiscard]] bool makes_both(const AttentionGrid& grid, const AttentionProblem& problem);
void query_gradient_and_products(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients, const RowsOut& dq);
void key_gradients(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients, const KeyGradients& to);
/// The same on GPUs whose warpgroups multiply, for heads of up to 64 columns and segments of more than a few keys.
void grouped_key_gradients(const AttentionGrid& grid, const AttentionProblem& problem, const AttentionGradients& gradients, const KeyGradients& to);
}  // namespace tensor

/// products[row, head] = Σ dO ∘ O
void output_products(const Queue& queue, const View& output_gradient, const View& output, std::int32_t heads, float* products);

/// to = Σ over chunks, in their order, of sums [chunks, count elements of the view's bound].
void add_chunks(const Queue& queue, const float* sums, std::int64_t chunks, std::int64_t chunk_elements, const View& to);
/// The same of two results of one shape, each of which may be absent.
void add_chunks(const Queue& queue, const float* sums, const float* others, std::int64_t chunks, std::int64_t chunk_elements, const View& to,
                const View& other);

}  // namespace preamble::cuda
