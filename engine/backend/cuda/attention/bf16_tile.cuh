// Tiles of bf16 rows in shared memory, as operands of tensor cores. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/mma.cuh"
#include "engine/backend/cuda/attention/problem.cuh"

namespace preamble::cuda {

/// Threads of most blocks: four warps, a warpgroup.
inline constexpr int kWarps = 4, kBlockThreads = 32 * kWarps;

[[nodiscard]] __device__ inline int lane() { return static_cast<int>(threadIdx.x) % 32; }
[[nodiscard]] __device__ inline int warp() { return static_cast<int>(threadIdx.x) / 32; }
/// A thread's row among the upper eight of a `Sum`, and its first column.
[[nodiscard]] __device__ inline int sum_row() { return lane() / 4; }
[[nodiscard]] __device__ inline int sum_column() { return 2 * (lane() % 4); }

/// Rows of D columns. Pieces of 8 columns (16 bytes) are permuted in each row: the same piece of eight neighbouring rows meets each bank
/// once.
template <int D>
struct SharedRows {
  static constexpr int kPieces = D / 8;

  [[nodiscard]] static __device__ Bf16* piece(Bf16* tile, int row, int index) { return tile + row * D + (index ^ (row & 7)) * 8; }
  [[nodiscard]] static __device__ const Bf16* piece(const Bf16* tile, int row, int index) {
    return tile + row * D + (index ^ (row & 7)) * 8;
  }

  /// Rows [row, row + 16), columns [column, column + 16) as the left operand.
  [[nodiscard]] static __device__ FragmentA left(const Bf16* tile, int row, int column) {
    FragmentA a;
    load_matrices(piece(tile, row + lane() % 16, column / 8 + lane() / 16), a.x);
    return a;
  }
  /// Rows [row, row + 16) as columns of two right operands; their k runs over columns [column, column + 16).
  static __device__ void right(const Bf16* tile, int row, int column, FragmentB (&b)[2]) {
    std::uint32_t x[4];
    load_matrices(piece(tile, row + lane() % 8 + lane() / 16 * 8, column / 8 + lane() / 8 % 2), x);
    b[0] = {{x[0], x[1]}};
    b[1] = {{x[2], x[3]}};
  }
  /// Columns [column, column + 16) as columns of two right operands; their k runs over rows [row, row + 16).
  static __device__ void right_of_rows(const Bf16* tile, int row, int column, FragmentB (&b)[2]) {
    std::uint32_t x[4];
    load_transposed(piece(tile, row + lane() % 16, column / 8 + lane() / 16), x);
    b[0] = {{x[0], x[1]}};
    b[1] = {{x[2], x[3]}};
  }

  /// Begins to fill `count` rows of a tile: row r with `find(r)`, the head's columns from `column` on; zeros behind its last column and
  /// where there is no row. Rows of bf16 are copied asynchronously.
  template <int count, int threads = kBlockThreads, class Find>
  static __device__ void fill(Bf16* tile, int column, int dim, const Find& find) {
    static_assert(count * kPieces % threads == 0 && threads % kPieces == 0);
    const int c = static_cast<int>(threadIdx.x) % kPieces;
#pragma unroll
    for (int i = 0; i < count * kPieces / threads; ++i) {
      const int r = static_cast<int>(threadIdx.x) / kPieces + i * (threads / kPieces);
      const auto source = find(r);
      const bool exists = source.row >= 0 && 8 * c < dim;
      Bf16* to = piece(tile, r, c);
      if (source.rows.narrow) {
        copy_16_async(to, exists ? source.rows.at(source.row, column + 8 * c) : source.rows.data, exists);
        continue;
      }
      uint4 bits = make_uint4(0, 0, 0, 0);
      if (exists) {
        const float4* from = static_cast<const float4*>(source.rows.at(source.row, column + 8 * c));
        const float4 low = from[0];
        const float4 high = from[1];
        bits = make_uint4(pack(low.x, low.y), pack(low.z, low.w), pack(high.x, high.y), pack(high.z, high.w));
      }
      *reinterpret_cast<uint4*>(to) = bits;
    }
  }

  /// Copies `count` rows of bf16 of one head, which all exist and follow each other: what a thread needs for it, worked out once.
  template <int count, int threads>
  class Copy {
   public:
    __device__ Copy() = default;
    __device__ Copy(const RowsIn& x, int column, int dim) : width_(x.width) {
      from_ = static_cast<const Bf16*>(x.data) + (exists(dim) ? std::int64_t{row()} * width_ + column + 8 * part() : 0);
    }
    /// Begins to fill a tile with rows from `first` on.
    __device__ void begin(Bf16* tile, int first, int dim) const {
      static_assert(count * kPieces % threads == 0 && threads / kPieces % 8 == 0);
      const Bf16* from = from_ + static_cast<std::int64_t>(first) * width_;
      Bf16* const to = piece(tile, row(), part());
#pragma unroll
      for (int i = 0; i < count * kPieces / threads; ++i) {
        copy_16_async(to + i * (threads / kPieces) * D, from, exists(dim));
        from += threads / kPieces * width_;
      }
    }

   private:
    [[nodiscard]] static __device__ int part() { return static_cast<int>(threadIdx.x) % kPieces; }
    [[nodiscard]] static __device__ int row() { return static_cast<int>(threadIdx.x) / kPieces; }
    [[nodiscard]] static __device__ bool exists(int dim) { return 8 * part() < dim; }

    const Bf16* from_ = nullptr;
    int width_ = 0;
  };
};

/// Where a row of a tile comes from; below zero: nowhere.
struct Source {
  RowsIn rows;
  std::int64_t row;
};

}  // namespace preamble::cuda
