// DeBERTa's position tables, and which of their rows a block of scores reads.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/relative_bias.h"
#include "engine/graph/kernel.h"
#include "engine/backend/cpu/attention_scratch.h"

namespace preamble::PREAMBLE_ISA {

/// Rows [first, first + count) of the position tables.
struct TableBand {
  std::int64_t first = 0, count = 0;
};

template <class T>
struct DisentangledTables {
  DisentangledTables(const View& key, const View& query) noexcept : position_k(key), position_q(query) {}

  View position_k, position_q;           ///< [2·span, H·d]; empty where absent
  const std::int32_t* row_at = nullptr;  ///< [2 reach + 1] row by clamped distance key - query: descending
  std::int64_t reach = 0;

  explicit operator bool() const noexcept { return position_k || position_q; }

  [[nodiscard]] std::int64_t rows() const noexcept { return position_k ? position_k.rows : position_q ? position_q.rows : 0; }

  /// Lists the row of each distance in `scratch.buckets` bytes at `workspace`.
  void list_rows(const AttentionOptions& options, std::byte* workspace) noexcept {
    if (!*this) return;
    reach = options.disentangled.max_distance;
    auto* list = reinterpret_cast<std::int32_t*>(workspace);
    for (std::int64_t d = 0; d <= 2 * reach; ++d) list[d] = disentangled_position_row(reach - d, options.disentangled);
    row_at = list;
  }

  /// Rows for queries at positions [q_low, q_high] and keys at [k_low, k_high].
  [[nodiscard]] TableBand band(std::int64_t q_low, std::int64_t q_high, std::int64_t k_low, std::int64_t k_high) const noexcept {
    const auto row = [&](std::int64_t distance) { return std::int64_t{row_at[std::clamp(distance, -reach, reach) + reach]}; };
    const std::int64_t first = row(k_high - q_low);
    return {first, row(k_low - q_high) + 1 - first};
  }
};

}  // namespace preamble::PREAMBLE_ISA
