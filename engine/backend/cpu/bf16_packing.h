// Columns of stored matrices in the order that products of bf16 numbers read.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/pair_packing.h"
#include "engine/backend/cpu/round_row.h"
#include "engine/core/parallel.h"
#include "engine/core/stored_matrix.h"

namespace preamble::PREAMBLE_ISA {

/// Some rows of a stored matrix, as B of a product: columns [N] if they are outputs, else k.
struct StoredRows {
  const StoredMatrix& w;
  std::int64_t first = 0, count = 0;
  bool outputs = false;

  [[nodiscard]] std::int64_t k() const noexcept { return outputs ? w.columns : count; }
  [[nodiscard]] std::int64_t n() const noexcept { return outputs ? count : w.columns; }
};

/// Asks for elements [first, first + count) of a row that is read soon: rows are read in short parts, which no processor foresees.
inline void fetch_part(const StoredMatrix& w, std::int64_t row, std::int64_t first, std::int64_t count) noexcept {
  constexpr std::int64_t kLine = 64;
  if (w.dtype != Dtype::bf16 || row >= w.rows) return;
  const std::byte* part = w.row(row) + first * static_cast<std::int64_t>(sizeof(BFloat16));
  for (std::int64_t at = 0; at < count * static_cast<std::int64_t>(sizeof(BFloat16)); at += kLine) __builtin_prefetch(part + at);
}

/// The part of `pack_columns` that makes columns [begin, end) of the block, on the calling thread. Both are multiples of 16.
inline void pack_part(const StoredRows& b, std::int64_t first, std::int64_t count, std::int64_t depth, std::int64_t begin, std::int64_t end,
                      BFloat16* packed) noexcept {
  constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked, kPart = 256;
  if (b.outputs) {
    for (; begin < end; begin += kGroup) {
      // pairs of 16 rows, turned into 16 columns of pairs
      std::uint32_t pairs[kGroup][kPart / 2];
      auto* to = reinterpret_cast<std::uint32_t*>(packed + begin * depth);
      for (std::int64_t k = 0; k < depth; k += kPart) {
        const std::int64_t there = std::clamp<std::int64_t>(b.k() - k, 0, kPart);
        for (std::int64_t n = 0; n < kGroup; ++n) {
          const bool row = begin + n < count;
          auto* numbers = reinterpret_cast<BFloat16*>(pairs[n]);
          if (row) decode_bf16(b.w, b.first + first + begin + n, k, there, numbers);
          fetch_part(b.w, b.first + first + begin + n + kGroup, k, there);
          std::fill_n(numbers + (row ? there : 0), kPart - (row ? there : 0), BFloat16{0});
        }
        const std::int64_t half = std::min(kPart, depth - k) / 2;
        pack_column_pairs(static_cast<const std::uint32_t*>(pairs[0]), kPart / 2, half, to + k / 2 * kGroup);
      }
    }
    return;
  }
  for (; begin < end; begin += kPart) {
    // so many rows that the pairs of sixteen columns are written many lines at a time: from columns to columns it is far
    constexpr std::int64_t kRows = 32;
    const std::int64_t last = std::min(begin + kPart, end), there = std::clamp<std::int64_t>(count - begin, 0, last - begin);
    BFloat16 rows[kRows][kPart] = {};
    for (std::int64_t k = 0; k < depth; k += kRows) {
      // the tails stay zero; rows behind the last one are zero
      for (std::int64_t r = 0; r < kRows; ++r) {
        fetch_part(b.w, b.first + k + r + kRows, first + begin, there);
        if (k + r < b.count) {
          decode_bf16(b.w, b.first + k + r, first + begin, there, rows[r]);
        } else {
          std::fill_n(rows[r], there, BFloat16{0});
        }
      }
      for (std::int64_t g = begin; g < last; g += kGroup) {
        for (std::int64_t r = 0; r < kRows; r += 2) {
          const BFloat16* even = rows[r] + (g - begin);
          pack_row_pair(even, even + kPart, kGroup, packed + g * depth + (k + r) * kGroup, depth);
        }
      }
    }
  }
}

/// `count` columns, padded to whole units of a product.
[[nodiscard]] inline std::int64_t padded_columns(std::int64_t count) noexcept {
  constexpr std::int64_t kUnit = cpu::Bf16Panel::kColumns;
  return (count + kUnit - 1) / kUnit * kUnit;
}

/// Packs columns [first, first + count) of B, padded with zeros to `depth` and to whole groups of 32. Not for use inside `parallel_for`.
inline void pack_columns(const StoredRows& b, std::int64_t first, std::int64_t count, std::int64_t depth, BFloat16* packed) {
  // four tasks of 768 columns: three would keep one of two threads waiting
  parallel_for(padded_columns(count), b.outputs ? cpu::Bf16Panel::kPacked : 192,
               [&](std::int64_t begin, std::int64_t end) { pack_part(b, first, count, depth, begin, end, packed); });
}

}  // namespace preamble::PREAMBLE_ISA
