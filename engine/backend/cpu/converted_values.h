// Values in bf16 of a step that computes in float32.
#pragma once

#include <cstdint>
#include <span>

#include "engine/backend/cpu/table.h"
#include "engine/graph/graph.h"

namespace preamble::cpu {

/// The kernel that a node has for its own type of activations, or null: then it computes in float32 over converted values. So do attention in
/// bf16 with position tables, and on machines that multiply bf16 numbers by widening them; heads whose matrices are no whole units of a product;
/// functions of rows of several types; and norms of rows that are very long.
[[nodiscard]] Kernel own_kernel(const KernelTable& table, const Node& node);

/// Is a value converted for a kernel that computes in float32? bf16 values are, but for frozen matrices, which kernels read as they are
/// stored.
[[nodiscard]] bool is_converted(const Graph& graph, const Value& value);

/// Can a step that computes in float32 over converted values do so for some rows at a time? Where each row of its results depends on the same row
/// of its operands alone. `used`: of its outputs.
[[nodiscard]] bool converts_by_rows(const Node& node, std::span<const bool> used);

/// Scratch memory of such a step: values without rows as a whole, then lanes for some rows of the others.
struct ConvertedRows {
  /// Lanes that every plan has room for.
  static constexpr std::int64_t kLanes = 2;

  std::int64_t rows = 0;   ///< of a lane
  std::int64_t whole = 0;  ///< bytes of values without rows
  std::int64_t lane = 0;   ///< bytes

  [[nodiscard]] static ConvertedRows of(const Graph& graph, const Node& node, std::span<const bool> used);
  /// Bytes of some rows of a value, a multiple of 64.
  [[nodiscard]] std::int64_t bytes(const Type& type) const noexcept;
};

/// Bytes of a value in float32 at capacity, a multiple of 64.
[[nodiscard]] std::int64_t converted_bytes(const Graph& graph, const Type& type);

}  // namespace preamble::cpu
