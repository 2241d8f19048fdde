// Position tables in the scores of a `Pair`. Included by .cu files alone.
#pragma once

#include "engine/backend/cuda/attention/pair.cuh"

namespace preamble::cuda {

template <class At>
__device__ void Pair::collect(int line, int first, float* to, int line_stride, int row_stride, const At& at) const {
  const int lane = static_cast<int>(threadIdx.x) % 4;
  for (int row = lane; row < kTile; row += 4) to[line * line_stride + row * row_stride] = 0;
  for (int other = 0; other < kTile; ++other) {
    const TermAt term = at(other);
    if (term.distance < 0) continue;
    const int row = p_.row_at[term.distance] - first;
    if (row >= 0 && row < kTile && row % 4 == lane) to[line * line_stride + row * row_stride] += term.x;
  }
}

template <class Body>
__device__ void Pair::for_bands(const Body& body) const {
  const Extent queries = Extent::of([&](int i, Extent& e) {
    if (i < q_.rows) e.add(s_.position[i]);
  });
  const Extent keys = Extent::of([&](int j, Extent& e) {
    if (s_.key_position[j] != p_.kNoPosition) e.add(s_.key_position[j]);
  });
  if (keys.low > keys.high) return;
  const int low = p_.row_at[p_.distance(keys.high, queries.low)];
  const int high = p_.row_at[p_.distance(keys.low, queries.high)];
  for (int row = low; row <= high; row += kTile) body(row, min(kTile, high + 1 - row));
}

__device__ inline void Pair::collect_by_query(int first, float* to) const {
  const int i = static_cast<int>(threadIdx.x) / 4;
  collect(i, first, to, kPitch, 1, [&](int j) { return TermAt{s_.key_position[j] != p_.kNoPosition ? distance(i, j) : -1, s_.x[i * kPitch + j]}; });
}
__device__ inline void Pair::collect_by_key(int first, float* to, int key_stride, int row_stride) const {
  const int j = static_cast<int>(threadIdx.x) / 4;
  const bool own = s_.key_position[j] != p_.kNoPosition;
  collect(j, first, to, key_stride, row_stride, [&](int i) {
    return TermAt{own && i < q_.rows ? distance(i, j) : -1, s_.x[i * kPitch + j]};
  });
}

__device__ inline void Pair::add_position_keys(int row, int rows, Part& c) const {
  Part terms;
  terms.clear();
  for (int part = 0; part < parts_; ++part) {
    if (parts_ > 1) load_rows(p_.q, q_.first, q_.rows, columns(part), s_.q);
    load_rows(p_.position_k, row, rows, columns(part), s_.v);
    __syncthreads();
    multiply_scores(s_.q, s_.v, terms);
    __syncthreads();
  }
  add_terms(
      terms, row, rows, [](int i, int) { return i; }, c);
}

__device__ inline void Pair::add_position_queries(int first, int end, int row, int rows, Part& c) const {
  Part terms;
  terms.clear();
  for (int part = 0; part < parts_; ++part) {
    if (parts_ > 1) load_own_and_prefix(p_.prefix_k, p_.k, first, end, part, s_.k);
    load_rows(p_.position_q, row, rows, columns(part), s_.v);
    __syncthreads();
    multiply_scores(s_.k, s_.v, terms);
    __syncthreads();
  }
  add_terms(
      terms, row, rows, [](int, int j) { return j; }, c);
}

template <class Line>
__device__ void Pair::add_terms(const Part& terms, int first, int rows, const Line& line, Part& c) const {
  put_scores(terms, s_.x);
  __syncthreads();
  for_elements(c, [&](int i, int j, float& x) {
    if (s_.key_position[j] == p_.kNoPosition) return;
    const int row = p_.row_at[distance(i, j)] - first;
    if (row >= 0 && row < rows) x += p_.scale * s_.x[line(i, j) * kPitch + row];
  });
  __syncthreads();
}

}  // namespace preamble::cuda
