// Products of activations and stored matrices in bf16, with sums in float32.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "engine/backend/cpu/bf16_packing.h"
#include "engine/backend/cpu/bf16_scratch.h"
#include "engine/backend/cpu/bf16_widening.h"
#include "engine/backend/cpu/block.h"
#include "engine/backend/cpu/few_rows.h"
#include "engine/backend/cpu/round_row.h"

namespace preamble::PREAMBLE_ISA {

/// Most columns of `columns_together`.
inline constexpr std::int64_t kMostTogether = 128;

/// So many columns of a depth share the second-level cache with some rows: they are read from further away once for all of these rows.
[[nodiscard]] inline std::int64_t columns_together(std::int64_t depth) noexcept {
  constexpr std::int64_t kUnit = cpu::Bf16Panel::kColumns;
  return std::clamp(cpu::Bf16Scratch::kTogether / depth / kUnit * kUnit, kUnit, kMostTogether);
}

/// Rows [first, end) of A times `count` columns that are packed `depth` deep, on the calling thread: calls epilogue(row, column, count, sums) for
/// parts of rows of the result; it may write over the sums.
template <class Epilogue>
void multiply_packed(const Block<const BFloat16>& a, std::int64_t first, std::int64_t end, const BFloat16* packed, std::int64_t depth,
                     std::int64_t count, const Epilogue& epilogue) {
  const cpu::Bf16Engine engine = cpu::best_bf16_engine();
  const std::int64_t together = columns_together(depth), padded = padded_columns(count);
  alignas(64) float sums[cpu::Bf16Panel::kMostRows * kMostTogether];
  for (std::int64_t j = 0; j < padded; j += together) {
    const std::int64_t there = std::min(together, count - j);
    for (std::int64_t begin = first; begin < end; begin += engine.rows) {
      cpu::Bf16Panel panel;
      panel.a = a.data + begin * a.stride, panel.lda = a.stride, panel.rows = std::min(engine.rows, end - begin);
      panel.packed = packed + j * depth, panel.k = depth, panel.columns = std::min(together, padded - j);
      panel.c = sums, panel.ldc = kMostTogether;
      if (engine.product != nullptr) {
        engine.product(panel);
      } else {
        widening_product(panel);
      }
      for (std::int64_t r = 0; r < panel.rows; ++r) epilogue(begin + r, j, there, sums + r * kMostTogether);
    }
  }
}

/// A [rows, k] of bf16, or of float32 numbers that are rounded.
struct Bf16Rows {
  const BFloat16* bf16 = nullptr;
  const float* f32 = nullptr;
  std::int64_t stride = 0;
};

/// A B for A [rows, k]: calls epilogue(row, column, count, sums) for parts of rows of the result, from several threads; it may write over the
/// sums. `scratch`: the bytes of `Bf16Scratch::of(rows, k, n, a.f32 != nullptr)`. Sums depend on the shapes alone. Not for use inside
/// `parallel_for`.
template <class Epilogue>
void bf16_product(const Bf16Rows& a, std::int64_t rows, const StoredRows& b, std::byte* scratch, const Epilogue& epilogue) {
  const std::int64_t k = b.k(), n = b.n();
  const auto sizes = cpu::Bf16Scratch::of(rows, k, n, a.f32 != nullptr);
  auto* packed = reinterpret_cast<BFloat16*>(scratch);
  Block<const BFloat16> left{a.bf16, a.stride};
  if (sizes.rows > 0) {
    BFloat16* copy = packed + sizes.packed;
    parallel_for(rows, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        BFloat16* to = copy + r * sizes.depth;
        if (a.f32 != nullptr) {
          round_row(a.f32 + r * a.stride, to, k);
        } else {
          std::copy_n(a.bf16 + r * a.stride, k, to);
        }
        std::fill_n(to + k, sizes.depth - k, BFloat16{0});
      }
    });
    left = {copy, sizes.depth};
  }
  const cpu::Bf16Engine engine = cpu::best_bf16_engine();
  const std::int64_t most = std::clamp<std::int64_t>(cpu::Bf16Scratch::kGroup / sizes.depth / engine.rows, 1, 8);
  const std::int64_t panels = (rows + engine.rows - 1) / engine.rows;
  const std::int64_t groups = std::min(panels, std::max<std::int64_t>(4, (panels / most + 2) / 2 * 2));
  for (std::int64_t first = 0; first < n; first += sizes.columns) {
    const std::int64_t count = std::min(sizes.columns, n - first);
    const auto place = [&](std::int64_t column) {
      return [&, column](std::int64_t row, std::int64_t at, std::int64_t there, float* sums) { epilogue(row, column + at, there, sums); };
    };
    if (rows * sizes.depth <= cpu::Bf16Scratch::kGroup) {
      // all rows stay in the second-level cache: who packs some columns multiplies by them, and nobody waits for the others
      parallel_for(padded_columns(count), columns_together(sizes.depth), [&](std::int64_t begin, std::int64_t end) {
        pack_part(b, first, count, sizes.depth, begin, end, packed);
        multiply_packed(left, 0, rows, packed + begin * sizes.depth, sizes.depth, std::min(count, end) - begin, place(first + begin));
      });
      continue;
    }
    pack_columns(b, first, count, sizes.depth, packed);
    parallel_for(groups, 1, [&](std::int64_t group, std::int64_t) {
      const std::int64_t begin = group * panels / groups * engine.rows, end = std::min(rows, (group + 1) * panels / groups * engine.rows);
      multiply_packed(left, begin, end, packed, sizes.depth, count, place(first));
    });
  }
}

}  // namespace preamble::PREAMBLE_ISA
