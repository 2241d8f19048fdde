// How the CUDA kernels of attention lay out their scratch memory: planned from capacities, used with the bounds of a run.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/ops/cached_attention.h"

namespace preamble::cuda {

/// Rows are capacities when planning, bounds of a run when running; zero where an operand is absent.
struct AttentionSizes {
  std::int64_t q_rows = 0, q_segments = 0, k_rows = 0, prefix_rows = 0;
  std::int64_t dim = 0;        ///< of a head
  std::int64_t buckets = 0;    ///< of a bias table
  std::int64_t positions = 0;  ///< rows of the position tables
  std::int64_t kv_width = 0;   ///< columns of keys
  bool narrow = false;         ///< queries are bf16
  bool wide_prefix = false;    ///< prefixes are float32

  /// Do kernels for tensor cores run? The others compute with float32.
  [[nodiscard]] bool on_tensor_cores() const noexcept { return narrow && positions == 0 && dim % 8 == 0 && dim <= 128; }
};

/// Which gradients need sums over blocks.
struct SharedGradients {
  bool own = false;  ///< keys that several segments of queries may read
  bool prefix = false, bias = false, position_k = false, position_q = false;
};

/// Regions in bytes, in their order. No sum of regions shrinks when a size grows, so a plan for capacities holds every run.
struct AttentionScratch {
  /// Bytes of the `Visibility` of a tile of queries.
  static constexpr std::int64_t kVisibility = 48;
  /// Kernels of an op whose blocks take turns.
  static constexpr std::int64_t kTurns = 8;
  /// Columns of a head that kernels of float32 arithmetic make at a time.
  static constexpr std::int64_t kColumns = 64;

  std::int64_t rows = 0;                        ///< bucket, or row of the position tables, of each clamped distance
  std::int64_t bias = 0;                        ///< float32 biases of each head by clamped distance
  std::int64_t output = 0;                      ///< float32 o or dQ of heads that are made in several parts
  std::int64_t products = 0;                    ///< Σ P ∘ dP of each row and head
  std::int64_t own = 0;                         ///< partial sums of the gradient of keys or of values; there are two such regions
  std::int64_t prefix = 0;                      ///< the same for prefixes; there are two such regions
  std::int64_t position_k = 0, position_q = 0;  ///< partial sums of the position tables' gradients
  std::int64_t bias_gradient = 0;               ///< partial sums of the bias table's gradient
  std::int64_t seen = 0;                        ///< which keys each query and each tile of queries sees, for tensor cores
  std::int64_t narrow_prefix = 0;               ///< keys or values of prefixes as bf16; there are two such regions

  [[nodiscard]] std::int64_t bytes() const noexcept {
    return rows + bias + output + products + 2 * (own + prefix + narrow_prefix) + position_k + position_q + bias_gradient + seen;
  }

  /// Partial sums that the gradient of `rows` shared rows is split into: enough blocks for a GPU, and few where rows are many.
  [[nodiscard]] static constexpr std::int64_t chunks(std::int64_t rows, std::int64_t kv_heads) noexcept {
    return std::clamp<std::int64_t>(kSharedRows / std::max<std::int64_t>(rows, 1), 1, most_chunks(kv_heads));
  }
  /// Partial sums of the gradients of tables.
  [[nodiscard]] static constexpr std::int64_t table_chunks(std::int64_t heads) noexcept { return most_chunks(heads); }

  /// Clamped distances of a bias table or of position tables.
  [[nodiscard]] static std::int64_t distances(const AttentionOptions& options, const AttentionSizes& sizes) noexcept;

  [[nodiscard]] static AttentionScratch forward(const AttentionOptions& options, const AttentionSizes& sizes) noexcept;
  [[nodiscard]] static AttentionScratch backward(const AttentionOptions& options, const AttentionSizes& sizes,
                                                 const SharedGradients& shared) noexcept;

 private:
  static constexpr std::int64_t kSharedRows = 4096, kBlocks = 512, kMostChunks = 32;

  [[nodiscard]] static constexpr std::int64_t most_chunks(std::int64_t heads) noexcept {
    return std::clamp<std::int64_t>(kBlocks / std::max<std::int64_t>(heads, 1), 1, kMostChunks);
  }
  /// Upper bound of chunks(r) · r for all r up to `rows` that are split at all.
  [[nodiscard]] static constexpr std::int64_t chunk_rows(std::int64_t rows, std::int64_t kv_heads) noexcept {
    return std::min(most_chunks(kv_heads) * rows, kSharedRows);
  }
};

/// Bytes of scratch memory of a node of `attention`, `attention_grad`, `cached_attention`.
[[nodiscard]] std::int64_t attention_scratch_bytes(const NodeCost& cost);
[[nodiscard]] std::int64_t attention_grad_scratch_bytes(const NodeCost& cost);
[[nodiscard]] std::int64_t cached_attention_scratch_bytes(const NodeCost& cost);

/// o may overwrite q, and dQ may overwrite dO where o is known; where it is not, dQ and Σ P ∘ dP are made together, and dO is read again. dK and dV
/// may not overwrite k and v: blocks of queries read all keys.
[[nodiscard]] bool attention_runs_in_place(const Node& node, const Alias& alias) noexcept;

/// q, k and v may be parts of one value, and so may their gradients: kernels know how far apart rows lie.
[[nodiscard]] bool attention_reads_columns(const Node& node, std::size_t operand) noexcept;
[[nodiscard]] bool attention_writes_columns(const Node& node, std::size_t output) noexcept;

}  // namespace preamble::cuda
