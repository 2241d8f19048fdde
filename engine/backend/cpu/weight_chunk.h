// A part of a weight matrix whose wide axis is computed in chunks.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstdint>

#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/stored_part.h"

namespace preamble::PREAMBLE_ISA {

/// `count` rows (`wide_rows`) or columns of a stored weight: a map between `narrow` and `count` columns.
template <class T>
class WeightChunk {
 public:
  /// Converts the weight into `converted`, [count, narrow] or [narrow, count], if it is stored in another type. Not for use inside
  /// `parallel_for`.
  WeightChunk(const StoredMatrix& w, bool wide_rows, std::int64_t first, std::int64_t count, T* converted)
      : wide_rows_(wide_rows),
        narrow_(wide_rows ? w.columns : w.rows),
        count_(count),
        part_(read(w, wide_rows ? Part{first, count, 0, w.columns} : Part{0, w.rows, first, count}, converted)) {}

  /// y [rows, count] = x [rows, narrow] · W (+ y)
  void widen(std::int64_t rows, Block<const T> x, Block<T> y, bool add) const { multiply(rows, narrow_, count_, wide_rows_, x, y, add); }
  /// y [rows, narrow] = x [rows, count] · W (+ y)
  void narrow(std::int64_t rows, Block<const T> x, Block<T> y, bool add) const { multiply(rows, count_, narrow_, !wide_rows_, x, y, add); }

 private:
  void multiply(std::int64_t rows, std::int64_t k, std::int64_t n, bool transposed, Block<const T> x, Block<T> y, bool add) const {
    cpu::Gemm<T> p;
    p.m = rows, p.n = n, p.k = k;
    p.a = x.data, p.lda = x.stride;
    p.b = part_.data, p.ldb = part_.stride, p.transpose_b = transposed;
    p.c = y.data, p.ldc = y.stride;
    p.beta = add ? T(1) : T(0);
    cpu::gemm(p);
  }

  bool wide_rows_;
  std::int64_t narrow_, count_;
  Block<const T> part_;
};

}  // namespace preamble::PREAMBLE_ISA
