// A part of a weight matrix whose wide axis is computed in chunks.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstdint>

#include "engine/backend/cpu/block.h"
#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/math.h"
#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

/// `count` rows (`wide_rows`) or columns of a stored weight: a map between `narrow` and `count` columns.
template <class T>
class WeightChunk {
 public:
  /// Converts the weight into `converted`, [count, narrow] or [narrow, count], if it is stored in another type. Not for use inside
  /// `parallel_for`.
  WeightChunk(const View& w, bool wide_rows, std::int64_t first, std::int64_t count, T* converted)
      : wide_rows_(wide_rows), narrow_((*w.dims)[wide_rows ? 1 : 0]), count_(count), stride_((*w.dims)[1]) {
    const std::int64_t offset = wide_rows ? first * stride_ : first;
    if (w.dtype == dtype_v<T>) {
      data_ = w.as<const T>() + offset;
      return;
    }
    const auto* stored = w.as<const BFloat16>() + offset;
    const std::int64_t width = wide_rows ? narrow_ : count;
    parallel_for(wide_rows ? count : narrow_, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) widen_row(stored + r * stride_, converted + r * width, width);
    });
    data_ = converted;
    stride_ = width;
  }

  /// y [rows, count] = x [rows, narrow] · W (+ y)
  void widen(std::int64_t rows, Block<const T> x, Block<T> y, bool add) const { multiply(rows, narrow_, count_, wide_rows_, x, y, add); }
  /// y [rows, narrow] = x [rows, count] · W (+ y)
  void narrow(std::int64_t rows, Block<const T> x, Block<T> y, bool add) const { multiply(rows, count_, narrow_, !wide_rows_, x, y, add); }

 private:
  void multiply(std::int64_t rows, std::int64_t k, std::int64_t n, bool transposed, Block<const T> x, Block<T> y, bool add) const {
    cpu::Gemm<T> p;
    p.m = rows, p.n = n, p.k = k;
    p.a = x.data, p.lda = x.stride;
    p.b = data_, p.ldb = stride_, p.transpose_b = transposed;
    p.c = y.data, p.ldc = y.stride;
    p.beta = add ? T(1) : T(0);
    cpu::gemm(p);
  }

  bool wide_rows_;
  std::int64_t narrow_, count_, stride_;
  const T* data_ = nullptr;
};

}  // namespace preamble::PREAMBLE_ISA
