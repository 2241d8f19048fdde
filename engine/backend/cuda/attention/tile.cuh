// Products of tiles in shared memory, in float32 arithmetic. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/problem.cuh"

namespace preamble::cuda {

/// Rows and columns of a tile; floats from one row to the next, so that reading 16 bytes of eight rows meets no bank twice.
inline constexpr int kTile = 64, kPitch = 68;
inline constexpr int kTileThreads = 256;
inline constexpr int kTileFloats = kTile * kPitch;

/// A thread's part of a tile, 4 x 4 of it.
struct Part {
  float x[4][4];

  __device__ void clear() {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) x[i][j] = 0;
    }
  }
};

[[nodiscard]] __device__ inline int part_column() { return static_cast<int>(threadIdx.x) % 16; }
[[nodiscard]] __device__ inline int part_row() { return static_cast<int>(threadIdx.x) / 16; }

__device__ inline float4 quad(const float* tile, int row, int column) {
  return *reinterpret_cast<const float4*>(tile + row * kPitch + column);
}

__device__ inline void add_row(float (&c)[4], float a, const float4& b) {
  c[0] += a * b.x;
  c[1] += a * b.y;
  c[2] += a * b.z;
  c[3] += a * b.w;
}

/// Scores: c[m, n] += Σ_k a[m, k] b[n, k]. A thread has rows part_row() + 16 i and columns part_column() + 16 j.
__device__ inline void multiply_scores(const float* a, const float* b, Part& c) {
#pragma unroll 4
  for (int k = 0; k < kTile; k += 4) {
    float4 x[4];
    float4 y[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = quad(a, part_row() + 16 * i, k);
#pragma unroll
    for (int j = 0; j < 4; ++j) y[j] = quad(b, part_column() + 16 * j, k);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        c.x[i][j] += x[i].x * y[j].x;
        c.x[i][j] += x[i].y * y[j].y;
        c.x[i][j] += x[i].z * y[j].z;
        c.x[i][j] += x[i].w * y[j].w;
      }
    }
  }
}

/// Weighted rows: c[m, n] += Σ_k w[m, k] x[k, n]. A thread has rows part_row() + 16 i and columns 4 part_column() + j.
__device__ inline void multiply_rows(const float* w, const float* x, Part& c) {
#pragma unroll 4
  for (int k = 0; k < kTile; k += 4) {
    float4 y[4];
#pragma unroll
    for (int l = 0; l < 4; ++l) y[l] = quad(x, k + l, 4 * part_column());
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float4 a = quad(w, part_row() + 16 * i, k);
      add_row(c.x[i], a.x, y[0]);
      add_row(c.x[i], a.y, y[1]);
      add_row(c.x[i], a.z, y[2]);
      add_row(c.x[i], a.w, y[3]);
    }
  }
}

/// Outer products: c[m, n] += Σ_k w[k, m] x[k, n]. A thread has rows 4 part_row() + i and columns 4 part_column() + j.
__device__ inline void multiply_columns(const float* w, const float* x, Part& c) {
#pragma unroll 8
  for (int k = 0; k < kTile; ++k) {
    const float4 a = quad(w, k, 4 * part_row());
    const float4 b = quad(x, k, 4 * part_column());
    add_row(c.x[0], a.x, b);
    add_row(c.x[1], a.y, b);
    add_row(c.x[2], a.z, b);
    add_row(c.x[3], a.w, b);
  }
}

/// Keeps scores [m, n] as `multiply_scores` made them.
__device__ inline void put_scores(const Part& c, float* tile) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) tile[(part_row() + 16 * i) * kPitch + part_column() + 16 * j] = c.x[i][j];
  }
}

/// Columns of a head: [first, first + 64) as far as they go.
struct HeadColumns {
  std::int32_t first, count;

  [[nodiscard]] static __device__ HeadColumns of(const AttentionProblem& p, int head, int part) {
    const int begin = part * kTile;
    return {head * p.dim + begin, min(kTile, p.dim - begin)};
  }
};

/// Four neighbouring numbers of a row, of which the first `left` exist.
[[nodiscard]] __device__ inline float4 load_four(const RowsIn& x, std::int64_t row, int column, int left) {
  const std::int64_t i = row * x.width + column;
  float v[4] = {0, 0, 0, 0};
  if (x.narrow) {
    const Bf16* from = static_cast<const Bf16*>(x.data) + i;
    if (left >= 4 && (reinterpret_cast<std::uintptr_t>(from) & 7U) == 0) {
      const uint2 bits = *reinterpret_cast<const uint2*>(from);
      return make_float4(__uint_as_float(bits.x << 16U), __uint_as_float(bits.x & 0xFFFF0000U), __uint_as_float(bits.y << 16U),
                         __uint_as_float(bits.y & 0xFFFF0000U));
    }
#pragma unroll
    for (int c = 0; c < 4; ++c) v[c] = c < left ? to_float(from[c]) : 0.0F;
  } else {
    const float* from = static_cast<const float*>(x.data) + i;
    if (left >= 4 && (reinterpret_cast<std::uintptr_t>(from) & 15U) == 0) return *reinterpret_cast<const float4*>(from);
#pragma unroll
    for (int c = 0; c < 4; ++c) v[c] = c < left ? from[c] : 0.0F;
  }
  return make_float4(v[0], v[1], v[2], v[3]);
}

/// Fills a tile: `row_of(r, column, left)` gives four numbers of row r.
template <class RowOf>
__device__ inline void load_tile(const RowOf& row_of, const HeadColumns& columns, float* tile) {
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kTile / 4; i += kTileThreads) {
    const int r = i / (kTile / 4);
    const int c = i % (kTile / 4) * 4;
    *reinterpret_cast<float4*>(tile + r * kPitch + c) = row_of(r, columns.first + c, columns.count - c);
  }
}

/// Rows [first, first + count) of a matrix.
__device__ inline void load_rows(const RowsIn& x, std::int64_t first, int count, const HeadColumns& columns, float* tile) {
  load_tile(
      [&](int r, int column, int left) { return r < count && left > 0 ? load_four(x, first + r, column, left) : make_float4(0, 0, 0, 0); },
      columns, tile);
}

/// Keys [first, end) of a segment, prefix keys first.
__device__ inline void load_keys(const RowsIn& prefix, const RowsIn& own, const SegmentKeys& keys, int first, int end,
                                 const HeadColumns& columns, float* tile) {
  load_tile(
      [&](int r, int column, int left) {
        const int j = first + r;
        if (j >= end || left <= 0) return make_float4(0, 0, 0, 0);
        return load_four(RowsIn::pick(j < keys.prefixes, prefix, own), AttentionProblem::row(keys, j), column, left);
      },
      columns, tile);
}

}  // namespace preamble::cuda
