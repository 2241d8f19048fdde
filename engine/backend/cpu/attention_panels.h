// Attention's products of bf16 numbers for one head of one segment: keys and values are packed once, sums are float32.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "engine/backend/cpu/attention_panels_scratch.h"
#include "engine/backend/cpu/attention_tile.h"
#include "engine/backend/cpu/block.h"
#include "engine/backend/cpu/pair_packing.h"

namespace preamble::PREAMBLE_ISA {

/// Elements [first, first + count) of a row as bf16.
inline void copy_bf16(const View& from, std::int64_t row, std::int64_t first, std::int64_t count, BFloat16* to) noexcept {
  const std::int64_t at = row * from.width + first;
  if (from.dtype == Dtype::bf16) {
    std::copy_n(from.as<const BFloat16>() + at, count, to);
  } else {
    round_row(from.as<const float>() + at, to, count);
  }
}

/// Writes elements [at, at + count), in their own type.
inline void store_floats(const float* from, const View& to, std::int64_t at, std::int64_t count) noexcept {
  if (to.dtype == Dtype::bf16) {
    round_row(from, to.as<BFloat16>() + at, count);
  } else {
    std::copy_n(from, count, to.as<float>() + at);
  }
}

/// What products of one key/value head of a segment read: keys, values and rows of queries are copied and packed, padded with zeros to whole
/// units.
class HeadPanels {
 public:
  /// `memory`: `AttentionPanelsScratch::forward` or `backward` bytes.
  HeadPanels(const AttentionProblem<float>& problem, const AttentionPanelsScratch& sizes, std::byte* memory) noexcept
      : problem_(problem), sizes_(sizes), engine_(cpu::best_bf16_engine()), next_(memory) {}

  /// Memory for elements of `E`, behind all that was taken before.
  template <class E>
  [[nodiscard]] E* take(std::int64_t bytes) noexcept {
    return reinterpret_cast<E*>(std::exchange(next_, next_ + bytes));
  }

  /// The keys of a segment, those of the prefix first, from here on.
  void begin(std::int32_t segment, std::int64_t kv_head) noexcept {
    keys_ = problem_.keys(segment);
    column_ = kv_head * problem_.dim;
    depth_ = AttentionPanelsScratch::padded(keys_.prefixes + keys_.count);
  }
  [[nodiscard]] const SegmentKeys& keys() const noexcept { return keys_; }
  /// Keys of the segment, padded.
  [[nodiscard]] std::int64_t depth() const noexcept { return depth_; }
  [[nodiscard]] std::int64_t dim() const noexcept { return sizes_.dim; }

  /// Packs [keys, dim] for products with its transpose.
  void pack_transposed(const View& prefix, const View& own, BFloat16* packed) const noexcept {
    constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked, kPart = 64;
    alignas(64) BFloat16 columns[kGroup * kPart];
    for (std::int64_t first = 0; first < depth_; first += kGroup) {
      for (std::int64_t c = 0; c < sizes_.dim; c += kPart) {
        const std::int64_t part = std::min(kPart, sizes_.dim - c);
        for (std::int64_t n = 0; n < kGroup; ++n) copy_key(prefix, own, first + n, c, part, columns + n * kPart);
        pack_column_pairs(reinterpret_cast<const std::uint32_t*>(columns), kPart / 2, part / 2,
                          reinterpret_cast<std::uint32_t*>(packed + first * sizes_.dim + c * kGroup));
      }
    }
  }

  /// Packs [keys, dim] for products with it.
  void pack(const View& prefix, const View& own, BFloat16* packed) const noexcept {
    constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked, kPart = 64;
    alignas(64) BFloat16 even[kPart], odd[kPart];
    for (std::int64_t key = 0; key < depth_; key += 2) {
      for (std::int64_t c = 0; c < sizes_.dim; c += kPart) {
        const std::int64_t part = std::min(kPart, sizes_.dim - c);
        copy_key(prefix, own, key, c, part, even);
        copy_key(prefix, own, key + 1, c, part, odd);
        pack_row_pair<BFloat16>(even, odd, part, packed + c * depth_ + key * kGroup, depth_);
      }
    }
  }

  /// The rows of a block whose first head is `head`, [rows, dim] padded.
  void copy_rows(const View& x, const QueryBlock& b, std::int64_t head, BFloat16* to) const noexcept {
    for (std::int64_t i = 0; i < b.rows; ++i) {
      copy_bf16(x, b.query(i), (head + b.head(i)) * problem_.dim, problem_.dim, to + i * sizes_.dim);
      std::fill_n(to + i * sizes_.dim + problem_.dim, sizes_.dim - problem_.dim, BFloat16{0});
    }
  }

  /// c [rows, stride] = x [rows, dim] · the transpose of what `pack_transposed` packed, for the keys of the block.
  void times_keys(const QueryBlock& b, const BFloat16* x, const BFloat16* packed, float* c) const noexcept {
    multiply({x, sizes_.dim}, b.rows, {packed + b.keys.skipped * sizes_.dim, sizes_.dim}, sizes_.dim, b.stride, {c, b.stride});
  }

  /// y [rows, dim] = w [rows, stride] · what `pack` packed, for the keys of the block.
  void times_rows(const QueryBlock& b, const BFloat16* w, const BFloat16* packed, float* y) const noexcept {
    constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked;
    multiply({w, b.stride}, b.rows, {packed + b.keys.skipped * kGroup, depth_}, b.stride, sizes_.dim, {y, sizes_.dim});
  }

  /// Operands of `add_outer`: x [rows, dim] and w [rows, stride].
  struct Outer {
    const BFloat16* x;
    const BFloat16* w;
  };

  /// sums [dim, depth] += Σ xᵀ · w over one or two pairs of operands, at the keys of the block. `packed`: memory for as many w.
  void add_outer(const QueryBlock& b, std::span<const Outer> pairs, BFloat16* packed, float* sums) const noexcept {
    constexpr std::int64_t kGroup = cpu::Bf16Panel::kPacked, kColumns = 64, kMostRows = 2 * AttentionScratch::kBlockRows;
    const std::int64_t rows = AttentionPanelsScratch::padded(b.rows), dim = sizes_.dim;
    const std::int64_t k = static_cast<std::int64_t>(pairs.size()) * rows;
    BFloat16* to = packed;
    for (const Outer& pair : pairs) {
      for (std::int64_t i = 0; i < rows; i += 2) {
        // rows that are not there: zeros in x
        const BFloat16* even = pair.w + std::min(i, b.rows - 1) * b.stride;
        const BFloat16* odd = pair.w + std::min(i + 1, b.rows - 1) * b.stride;
        pack_row_pair(even, odd, b.stride, to, k);
        to += 2 * kGroup;
      }
    }
    alignas(64) BFloat16 transposed[kColumns * kMostRows];
    for (std::int64_t first = 0; first < dim; first += kColumns) {
      const std::int64_t columns = std::min(kColumns, dim - first);
      for (std::size_t i = 0; i < pairs.size(); ++i) transpose(pairs[i].x + first, columns, b.rows, transposed + static_cast<std::int64_t>(i) * rows, k);
      multiply({transposed, k}, columns, {packed, k}, k, b.stride, {sums + first * depth_ + b.keys.skipped, depth_}, true);
    }
  }

 private:
  /// to [columns, stride] = the transpose of some columns of x [there, dim], zeros behind them up to whole units.
  void transpose(const BFloat16* x, std::int64_t columns, std::int64_t there, BFloat16* to, std::int64_t stride) const noexcept {
    constexpr std::int64_t kSide = 16;
    alignas(64) std::uint32_t pairs[kSide * kSide];
    alignas(64) BFloat16 none[kSide] = {};
    for (std::int64_t first = 0; first < AttentionPanelsScratch::padded(there); first += 2 * kSide) {
      for (std::int64_t c = 0; c < columns; c += kSide) {
        for (std::int64_t i = 0; i < kSide; ++i) {
          const std::int64_t row = first + 2 * i;
          const BFloat16* even = row < there ? x + row * sizes_.dim + c : none;
          const BFloat16* odd = row + 1 < there ? x + (row + 1) * sizes_.dim + c : none;
          pack_row_pair(even, odd, kSide, reinterpret_cast<BFloat16*>(pairs + i * kSide), kSide);
        }
        transpose_tile(pairs, kSide, reinterpret_cast<std::uint32_t*>(to + c * stride + first), stride / 2);
      }
    }
  }

  /// Elements [first, first + count) of a key's head, count even; zeros behind the last key and behind its columns.
  void copy_key(const View& prefix, const View& own, std::int64_t key, std::int64_t first, std::int64_t count, BFloat16* to) const noexcept {
    const std::int64_t own_key = key - keys_.prefixes;
    const bool there = own_key < keys_.count;
    const std::int64_t columns = there ? std::clamp<std::int64_t>(problem_.dim - first, 0, count) : 0;
    if (there && own_key < 0) {
      copy_bf16(prefix, keys_.prefix_first + key, column_ + first, columns, to);
    } else if (there) {
      copy_bf16(own, keys_.first + own_key, column_ + first, columns, to);
    }
    std::fill_n(to + columns, count - columns, BFloat16{0});
  }

  void multiply(const Block<const BFloat16>& a, std::int64_t rows, const Block<const BFloat16>& packed, std::int64_t k, std::int64_t columns,
                const Block<float>& c, bool adds = false) const noexcept {
    for (std::int64_t first = 0; first < rows; first += engine_.rows) {
      cpu::Bf16Panel p;
      p.a = a.data + first * a.stride, p.lda = a.stride, p.rows = std::min(engine_.rows, rows - first);
      p.packed = packed.data, p.depth = packed.stride, p.k = k, p.columns = columns;
      p.c = c.data + first * c.stride, p.ldc = c.stride, p.adds = adds;
      engine_.product(p);
    }
  }

  const AttentionProblem<float>& problem_;
  AttentionPanelsScratch sizes_;
  cpu::Bf16Engine engine_;
  std::byte* next_;
  SegmentKeys keys_;
  std::int64_t column_ = 0, depth_ = 0;
};

}  // namespace preamble::PREAMBLE_ISA
