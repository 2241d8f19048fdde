// The wide value of a feed-forward part, chunk by chunk.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cpu/feed_forward_scratch.h"
#include "engine/backend/cpu/weight_chunk.h"
#include "engine/ops/feed_forward.h"

namespace preamble::PREAMBLE_ISA {

/// Columns [first, first + count) of the wide value.
struct Columns {
  std::int64_t first, count;
};

/// Both weights of a `FeedForward` or of its gradient, and the scratch memory of its chunks.
template <class T>
class FeedForwardChunks {
 public:
  /// `in` and `out`: columns of the narrow values at the first and at the second weight.
  template <class Op>
  FeedForwardChunks(const KernelArguments& args, const Op& op, std::int64_t rows, std::int64_t in, std::int64_t out)
      : first_(stored(args.in[Op::kFirstWeight])),
        second_(stored(args.in[Op::kSecondWeight])),
        wide_rows_first_(op.first == WeightLayout::out_in),
        wide_rows_second_(op.second == WeightLayout::in_out),
        width_(wide_rows_first_ ? first_.rows : first_.columns),
        sizes_(FeedForwardScratch::of(rows, in, width_, out, first_.dtype != dtype_v<T>, second_.dtype != dtype_v<T>)),
        weights_(reinterpret_cast<T*>(args.workspace)) {}

  /// Columns of the wide value.
  [[nodiscard]] std::int64_t width() const noexcept { return width_; }
  /// Scratch memory of a chunk's rows from `row` on: the only one, or the first of two.
  [[nodiscard]] Block<T> values(std::int64_t row) const noexcept {
    return {weights_ + sizes_.first_weight + sizes_.second_weight + row * sizes_.columns, sizes_.columns};
  }
  /// The second one; only where the op asked for it.
  [[nodiscard]] Block<T> more_values(std::int64_t row) const noexcept { return {values(row).data + sizes_.chunk, sizes_.columns}; }

  /// Calls body(columns, up, down) for each chunk, with its part of the first and of the second weight.
  template <class Body>
  void for_each(const Body& body) const {
    for (std::int64_t first = 0; first < width_; first += sizes_.columns) {
      const Columns columns{first, std::min(sizes_.columns, width_ - first)};
      const WeightChunk<T> up(first_, wide_rows_first_, first, columns.count, weights_);
      const WeightChunk<T> down(second_, wide_rows_second_, first, columns.count, weights_ + sizes_.first_weight);
      body(columns, up, down);
    }
  }

 private:
  StoredMatrix first_, second_;
  bool wide_rows_first_, wide_rows_second_;
  std::int64_t width_;
  FeedForwardScratch sizes_;
  T* weights_;
};

}  // namespace preamble::PREAMBLE_ISA
