// Eight neighbouring numbers: what a thread of a memory-bound kernel moves at a time, by 16-byte accesses where they are aligned.
// Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/real.cuh"

namespace preamble::cuda {

inline constexpr int kOctet = 8;

[[nodiscard]] __device__ inline bool is_aligned(const void* p) { return (reinterpret_cast<std::uintptr_t>(p) & 15U) == 0; }

__device__ inline void load_whole(const float* p, float (&v)[kOctet]) {
  const float4 low = *reinterpret_cast<const float4*>(p);
  const float4 high = *reinterpret_cast<const float4*>(p + 4);
  v[0] = low.x, v[1] = low.y, v[2] = low.z, v[3] = low.w;
  v[4] = high.x, v[5] = high.y, v[6] = high.z, v[7] = high.w;
}

__device__ inline void load_whole(const Bf16* p, float (&v)[kOctet]) {
  const uint4 bits = *reinterpret_cast<const uint4*>(p);
  const std::uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    v[2 * i] = __uint_as_float(words[i] << 16U);
    v[2 * i + 1] = __uint_as_float(words[i] & 0xFFFF0000U);
  }
}

__device__ inline void store_whole(float* p, const float (&v)[kOctet]) {
  *reinterpret_cast<float4*>(p) = make_float4(v[0], v[1], v[2], v[3]);
  *reinterpret_cast<float4*>(p + 4) = make_float4(v[4], v[5], v[6], v[7]);
}

__device__ inline void store_whole(Bf16* p, const float (&v)[kOctet]) {
  std::uint32_t words[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(v[2 * i], v[2 * i + 1]);
    words[i] = *reinterpret_cast<const std::uint32_t*>(&pair);
  }
  *reinterpret_cast<uint4*>(p) = make_uint4(words[0], words[1], words[2], words[3]);
}

/// The first `left` of eight numbers; 0 for the others.
template <class T>
__device__ inline void load(const T* p, std::int64_t left, float (&v)[kOctet]) {
  if (left >= kOctet && is_aligned(p)) return load_whole(p, v);
#pragma unroll
  for (int i = 0; i < kOctet; ++i) v[i] = i < left ? to_float(p[i]) : 0.0F;
}

/// The first `left` of eight numbers of several arrays, from element `first` on: all are on their way before one is looked at.
template <int count, class T>
__device__ inline void load_each(const T* const (&p)[count], std::int64_t first, std::int64_t left, float (&v)[count][kOctet]) {
  bool whole = left >= kOctet;
#pragma unroll
  for (int j = 0; j < count; ++j) whole = whole && is_aligned(p[j] + first);
  if (whole) {
#pragma unroll
    for (int j = 0; j < count; ++j) load_whole(p[j] + first, v[j]);
    return;
  }
#pragma unroll
  for (int j = 0; j < count; ++j) load(p[j] + first, left, v[j]);
}

/// Writes the first `left` of eight numbers.
template <class T>
__device__ inline void store(T* p, std::int64_t left, const float (&v)[kOctet]) {
  if (left >= kOctet && is_aligned(p)) return store_whole(p, v);
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    if (i < left) p[i] = from_float<T>(v[i]);
  }
}

/// The same at element `first` of an array of either type.
__device__ inline void load(const Reals& p, std::int64_t first, std::int64_t left, float (&v)[kOctet]) {
  if (p.narrow()) return load(p.as<const Bf16>() + first, left, v);
  load(p.as<const float>() + first, left, v);
}
__device__ inline void store(const Reals& p, std::int64_t first, std::int64_t left, const float (&v)[kOctet]) {
  if (p.narrow()) return store(p.as<Bf16>() + first, left, v);
  store(p.as<float>() + first, left, v);
}

/// What a number becomes when it is stored as T.
template <class T>
__device__ inline void round_to(float (&v)[kOctet]) {
#pragma unroll
  for (int i = 0; i < kOctet; ++i) v[i] = to_float(from_float<T>(v[i]));
}

/// Octets that hold so many columns.
[[nodiscard]] __host__ __device__ constexpr std::int64_t octets_of(std::int64_t columns) { return (columns + kOctet - 1) / kOctet; }

/// What a thread of a launch over `rows · octets_of(columns)` threads owns: eight columns of a row, or the `left` ones of its end.
struct OctetIndex {
  std::int64_t row, column, left;

  __device__ explicit OctetIndex(std::int64_t columns) {
    const auto octets = static_cast<std::uint32_t>(octets_of(columns));
    const std::uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x, quotient = thread / octets;
    row = quotient;
    column = static_cast<std::int64_t>(thread - quotient * octets) * kOctet;
    left = columns - column;
  }
};

}  // namespace preamble::cuda
