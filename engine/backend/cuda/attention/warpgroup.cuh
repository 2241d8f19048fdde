// Products of warpgroups: four warps multiply 64 x 64 tiles of shared memory at once (Hopper's wgmma). Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/mma.cuh"
#include "engine/backend/cuda/attention/weights.cuh"

// Code for other GPUs of a build holds these functions too, and never calls them.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define PREAMBLE_HAS_WARPGROUPS 1
#endif

// The upper half of a tile's descriptor: 1024 bytes from one group of eight rows to the next, a swizzle of 128 bytes.
#define PREAMBLE_UPPER "0x40000040"
// The text of an instruction, the 32 sums that it adds to, and these and a left operand as operands of a statement.
#define PREAMBLE_WGMMA "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
#define PREAMBLE_SUM_NAMES                                                           \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "          \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
#define PREAMBLE_FOUR_SUMS(constraint, c, n) \
  constraint((c)[0][n].x[0]), constraint((c)[0][n].x[1]), constraint((c)[0][n].x[2]), constraint((c)[0][n].x[3])
#define PREAMBLE_SUMS(constraint, c)                                                                                               \
  PREAMBLE_FOUR_SUMS(constraint, c, 0), PREAMBLE_FOUR_SUMS(constraint, c, 1), PREAMBLE_FOUR_SUMS(constraint, c, 2),                \
      PREAMBLE_FOUR_SUMS(constraint, c, 3), PREAMBLE_FOUR_SUMS(constraint, c, 4), PREAMBLE_FOUR_SUMS(constraint, c, 5),            \
      PREAMBLE_FOUR_SUMS(constraint, c, 6), PREAMBLE_FOUR_SUMS(constraint, c, 7)
#define PREAMBLE_FOUR_WEIGHTS(constraint, w, k) \
  constraint((w).of[k].x[0]), constraint((w).of[k].x[1]), constraint((w).of[k].x[2]), constraint((w).of[k].x[3])
#define PREAMBLE_WEIGHTS(constraint, w)                                                        \
  PREAMBLE_FOUR_WEIGHTS(constraint, w, 0), PREAMBLE_FOUR_WEIGHTS(constraint, w, 1),            \
      PREAMBLE_FOUR_WEIGHTS(constraint, w, 2), PREAMBLE_FOUR_WEIGHTS(constraint, w, 3)

namespace preamble::cuda {

/// Makes what this thread has written to shared memory visible to tensor cores; a barrier of the block follows.
__device__ inline void publish_to_tensor_cores() {
#ifdef PREAMBLE_HAS_WARPGROUPS
  asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
#endif
}

/// Products over tiles of rows of 64 columns of bf16, which start at multiples of 1024 bytes and whose pieces of 16 bytes are permuted as
/// `SharedRows<64>` does: rows of 128 bytes, the layout that the hardware calls a swizzle of 128 bytes. The sums of a warp are those of
/// `mma.sync`: rows [16 w, 16 w + 16) of 64 belong to warp w of the four.
struct Warpgroup {
  /// The lower half of a tile's descriptor: its address in units of 16 bytes.
  [[nodiscard]] static __device__ std::uint32_t descriptor(const Bf16* tile) {
    constexpr std::uint32_t kLeading = std::uint32_t{1} << 16U;
    return kLeading | (shared_address(tile) & 0x3FFFFU) >> 4U;
  }

  /// Begins c [64, 64] = a bᵀ, 64 rows of each tile. Nobody may touch c before `wait`.
  static __device__ void begin_scores(const Bf16* a, const Bf16* b, Sum (&c)[1][8]) {
#ifdef PREAMBLE_HAS_WARPGROUPS
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        ".reg .b32 t, u;\n"
        ".reg .b64 a<4>, b<4>;\n"
        "mov.b32 t, 0;\n"
        "mov.b64 a0, {%32, " PREAMBLE_UPPER "};\n"
        "add.u32 u, %32, 2;\n"
        "mov.b64 a1, {u, " PREAMBLE_UPPER "};\n"
        "add.u32 u, %32, 4;\n"
        "mov.b64 a2, {u, " PREAMBLE_UPPER "};\n"
        "add.u32 u, %32, 6;\n"
        "mov.b64 a3, {u, " PREAMBLE_UPPER "};\n"
        "mov.b64 b0, {%33, " PREAMBLE_UPPER "};\n"
        "add.u32 u, %33, 2;\n"
        "mov.b64 b1, {u, " PREAMBLE_UPPER "};\n"
        "add.u32 u, %33, 4;\n"
        "mov.b64 b2, {u, " PREAMBLE_UPPER "};\n"
        "add.u32 u, %33, 6;\n"
        "mov.b64 b3, {u, " PREAMBLE_UPPER "};\n"
        "wgmma.fence.sync.aligned;\n"
        "setp.ne.b32 p, t, t;\n"
        PREAMBLE_WGMMA PREAMBLE_SUM_NAMES "a0, b0, p, 1, 1, 0, 0;\n"
        "setp.eq.b32 p, t, t;\n"
        PREAMBLE_WGMMA PREAMBLE_SUM_NAMES "a1, b1, p, 1, 1, 0, 0;\n"
        PREAMBLE_WGMMA PREAMBLE_SUM_NAMES "a2, b2, p, 1, 1, 0, 0;\n"
        PREAMBLE_WGMMA PREAMBLE_SUM_NAMES "a3, b3, p, 1, 1, 0, 0;\n"
        "wgmma.commit_group.sync.aligned;\n"
        "}\n"
        :
        PREAMBLE_SUMS("=f", c)
        : "r"(descriptor(a)), "r"(descriptor(b))
        : "memory");
#else
    __trap();
#endif
  }

  /// Begins c [64, 64] += w x: x 64 rows of a tile. Nobody may touch w and c before `wait`.
  static __device__ void begin_rows(const Weights& w, const Bf16* x, Sum (&c)[1][8]) {
#ifdef PREAMBLE_HAS_WARPGROUPS
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        ".reg .b32 t, u;\n"
        ".reg .b64 b<4>;\n"
        "mov.b32 t, 0;\n"
        "setp.eq.b32 p, t, t;\n"
        "mov.b64 b0, {%48, " PREAMBLE_UPPER "};\n"
        "add.u32 u, %48, 128;\n"
        "mov.b64 b1, {u, " PREAMBLE_UPPER "};\n"
        "add.u32 u, %48, 256;\n"
        "mov.b64 b2, {u, " PREAMBLE_UPPER "};\n"
        "add.u32 u, %48, 384;\n"
        "mov.b64 b3, {u, " PREAMBLE_UPPER "};\n"
        "wgmma.fence.sync.aligned;\n"
        PREAMBLE_WGMMA PREAMBLE_SUM_NAMES "{%32, %33, %34, %35}, b0, p, 1, 1, 1;\n"
        PREAMBLE_WGMMA PREAMBLE_SUM_NAMES "{%36, %37, %38, %39}, b1, p, 1, 1, 1;\n"
        PREAMBLE_WGMMA PREAMBLE_SUM_NAMES "{%40, %41, %42, %43}, b2, p, 1, 1, 1;\n"
        PREAMBLE_WGMMA PREAMBLE_SUM_NAMES "{%44, %45, %46, %47}, b3, p, 1, 1, 1;\n"
        "wgmma.commit_group.sync.aligned;\n"
        "}\n"
        :
        PREAMBLE_SUMS("+f", c)
        : PREAMBLE_WEIGHTS("r", w), "r"(descriptor(x))
        : "memory");
#else
    __trap();
#endif
  }

  /// Waits for all products but the last `begun` ones: c is made then.
  template <int begun>
  static __device__ void wait(Sum (&c)[1][8]) {
#ifdef PREAMBLE_HAS_WARPGROUPS
    asm volatile("wgmma.wait_group.sync.aligned %32;\n" : PREAMBLE_SUMS("+f", c) : "n"(begun) : "memory");
#else
    __trap();
#endif
  }
  /// As `wait`, but not before `made` is there, work that goes on meanwhile: the assembler moves a wait to the beginning of its block, unless it
  /// stands in two branches. `true_at_run_time`: unknown to the compiler.
  template <int begun>
  static __device__ void wait_behind(bool true_at_run_time, Sum (&made)[1][8], Sum (&c)[1][8]) {
#ifdef PREAMBLE_HAS_WARPGROUPS
    if (true_at_run_time) {
      asm volatile("wgmma.wait_group.sync.aligned %64;\n" : PREAMBLE_SUMS("+f", c), PREAMBLE_SUMS("+f", made) : "n"(begun) : "memory");
    } else {
      wait<0>(c);
    }
#else
    __trap();
#endif
  }
  /// Waits for all products but the last `begun` ones. w: what one of them reads.
  template <int begun = 0>
  static __device__ void wait(Weights& w, Sum (&c)[1][8]) {
#ifdef PREAMBLE_HAS_WARPGROUPS
    asm volatile("wgmma.wait_group.sync.aligned %48;\n" : PREAMBLE_SUMS("+f", c), PREAMBLE_WEIGHTS("+r", w) : "n"(begun) : "memory");
#else
    __trap();
#endif
  }
};

}  // namespace preamble::cuda

#undef PREAMBLE_UPPER
#undef PREAMBLE_WGMMA
#undef PREAMBLE_SUM_NAMES
#undef PREAMBLE_FOUR_SUMS
#undef PREAMBLE_SUMS
#undef PREAMBLE_FOUR_WEIGHTS
#undef PREAMBLE_WEIGHTS
