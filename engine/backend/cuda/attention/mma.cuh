// Tensor core and copy instructions, each as a function. Included by .cu files alone.
#pragma once

#include <cstdint>

#include <cuda_bf16.h>

namespace preamble::cuda {

/// A 16 x 16 operand of bf16 (rows, k): of a warp, lane l holds rows l / 4 and l / 4 + 8, columns 2 (l mod 4) and 8 more, two each.
struct FragmentA {
  std::uint32_t x[4];
};
/// An operand of bf16 (k = 16, columns = 8): lane l holds column l / 4, rows 2 (l mod 4) and 8 more, two each.
struct FragmentB {
  std::uint32_t x[2];
};
/// A 16 x 8 sum: lane l holds rows l / 4 (x[0], x[1]) and l / 4 + 8 (x[2], x[3]), columns 2 (l mod 4) and the next one.
struct Sum {
  float x[4];
};

/// c += a b
__device__ inline void multiply_add(const FragmentA& a, const FragmentB& b, Sum& c) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(c.x[0]), "+f"(c.x[1]), "+f"(c.x[2]), "+f"(c.x[3])
      : "r"(a.x[0]), "r"(a.x[1]), "r"(a.x[2]), "r"(a.x[3]), "r"(b.x[0]), "r"(b.x[1]));
}

[[nodiscard]] __device__ inline std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

/// Four 8 x 8 matrices of bf16: lane l gives the address of row l mod 8 of matrix l / 8, and gets two elements of row l / 4 of each.
__device__ inline void load_matrices(const void* row, std::uint32_t (&x)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(shared_address(row))
               : "memory");
}
/// The same matrices transposed.
__device__ inline void load_transposed(const void* row, std::uint32_t (&x)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(shared_address(row))
               : "memory");
}

/// Writes four 8 x 8 matrices of bf16: lane l gives the address of row l mod 8 of matrix l / 8, and two elements of row l / 4 of each.
/// Hopper's.
__device__ inline void store_matrices(void* row, const std::uint32_t (&x)[4]) {
#if __CUDA_ARCH__ >= 900
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};\n" ::"r"(shared_address(row)), "r"(x[0]), "r"(x[1]),
               "r"(x[2]), "r"(x[3])
               : "memory");
#else
  __trap();
#endif
}

/// Begins to copy 16 bytes from global to shared memory, or to write zeros. The address is not read then, but has to be valid.
__device__ inline void copy_16_async(void* to, const void* from, bool exists) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)), "l"(from), "r"(exists ? 16 : 0) : "memory");
}
/// The same with 4 bytes.
__device__ inline void copy_4_async(void* to, const void* from, bool exists) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(shared_address(to)), "l"(from), "r"(exists ? 4 : 0) : "memory");
}
/// Ends a group of copies.
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
/// Waits for this thread's copies but the last `groups` groups.
template <int groups>
__device__ inline void wait_copies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(groups) : "memory");
}

/// 2^x, to 2 units in the last place; 0 for -inf.
[[nodiscard]] __device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

/// Two numbers as bf16, the first in the lower half.
[[nodiscard]] __device__ inline std::uint32_t pack(float low, float high) {
  std::uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

/// Products of two pairs of bf16.
[[nodiscard]] __device__ inline std::uint32_t multiply_pairs(std::uint32_t a, std::uint32_t b) {
#if __CUDA_ARCH__ >= 900
  std::uint32_t bits;
  asm("mul.rn.bf16x2 %0, %1, %2;\n" : "=r"(bits) : "r"(a), "r"(b));
  return bits;
#else
  const auto of = [](std::uint32_t x) { return make_float2(__uint_as_float(x << 16U), __uint_as_float(x & 0xFFFF0000U)); };
  return pack(of(a).x * of(b).x, of(a).y * of(b).y);
#endif
}

}  // namespace preamble::cuda
