// Warps that copy tiles to shared memory, and warps that multiply them, each at its own pace. Included by .cu files alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cuda/attention/mma.cuh"
#include "engine/backend/cuda/attention/warpgroup.cuh"
#include "engine/backend/cuda/kernel.h"

namespace preamble::cuda {

/// A barrier in shared memory, whose phases end when `count` threads have arrived.
class Barrier {
 public:
  /// One thread calls it, then `publish`; a barrier of the block follows.
  __device__ void begin(int count) {
#ifdef PREAMBLE_HAS_WARPGROUPS
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(shared_address(&word_)), "r"(count) : "memory");
#endif
  }
  /// Makes what `begin` has done visible.
  static __device__ void publish() {
#ifdef PREAMBLE_HAS_WARPGROUPS
    asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
#endif
  }
  __device__ void arrive() {
#ifdef PREAMBLE_HAS_WARPGROUPS
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];\n" ::"r"(shared_address(&word_)) : "memory");
#endif
  }
  /// Waits until the phase of that parity has ended; that of the phase before the first one is 1.
  __device__ void wait(std::uint32_t parity) {
#ifdef PREAMBLE_HAS_WARPGROUPS
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "again:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
        "@!p bra again;\n"
        "}\n" ::"r"(shared_address(&word_)),
        "r"(parity)
        : "memory");
#else
    __trap();
#endif
  }

 private:
  std::uint64_t word_;
};

/// A stage of a ring, and the parity of its barriers' phase.
template <int stages>
struct RingPlace {
  int stage = 0;
  std::uint32_t parity = 0;

  __device__ void next() {
    if (++stage == stages) stage = 0, parity ^= 1U;
  }
};

/// Tells which stages of a ring are full, and which are empty. In shared memory.
template <int stages>
struct RingBarriers {
  Barrier full[stages], empty[stages];

  /// As `Barrier::begin`. `readers`: warps that read.
  __device__ void begin(int writers, int readers) {
    for (int i = 0; i < stages; ++i) full[i].begin(writers), empty[i].begin(readers);
  }
};

/// The side that fills stages with asynchronous copies: up to `ahead` stages are on their way at a time. All writers call it alike.
template <int stages, int ahead>
class RingWriter {
 public:
  static_assert(ahead < stages);

  __device__ explicit RingWriter(RingBarriers<stages>& barriers) : barriers_(barriers) {}

  /// Waits until the next stage may be written, and returns it.
  __device__ int open() {
    barriers_.empty[at_.stage].wait(at_.parity ^ 1U);
    return at_.stage;
  }
  /// Ends a stage: it is handed over when its copies have come.
  __device__ void close() {
    commit_copies();
    at_.next();
    if (++open_ <= ahead) return;
    wait_copies<ahead>();
    publish();
  }
  /// Hands over all stages that are closed.
  __device__ void flush() {
    wait_copies<0>();
    while (open_ > 0) publish();
  }

 private:
  __device__ void publish() {
    publish_to_tensor_cores();
    barriers_.full[handed_.stage].arrive();
    handed_.next();
    --open_;
  }

  RingBarriers<stages>& barriers_;
  RingPlace<stages> at_, handed_;
  int open_ = 0;
};

/// Changes the number of registers that each thread of a warpgroup may use.
template <int count>
__device__ inline void give_up_registers() {
#ifdef PREAMBLE_HAS_WARPGROUPS
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(count));
#endif
}
template <int count>
__device__ inline void take_registers() {
#ifdef PREAMBLE_HAS_WARPGROUPS
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(count));
#endif
}

/// Blocks whose first warpgroup copies and whose other `groups` multiply. One block to a multiprocessor takes one item after the other: what the
/// next item needs is copied while the last one is worked on.
template <int groups>
struct GroupedBlock {
  static_assert(groups == 2 || groups == 3);
  // of all threads no more than the block is started with: 128 a thread of 512, 168 of 384
  static constexpr int kCopying = 128, kThreads = kCopying + 128 * groups;
  static constexpr int kCopyingRegisters = groups == 3 ? 32 : 72, kMultiplyingRegisters = groups == 3 ? 160 : 216;
  static constexpr int kRows = 64 * groups;
  static constexpr int kMultiplyingWarps = 4 * groups;

  [[nodiscard]] static unsigned blocks(const Queue& queue, std::int64_t items) {
    return static_cast<unsigned>(std::min<std::int64_t>(items, queue.multiprocessors));
  }
};

/// Number of this warp's multiplying warpgroup: the compiler knows it to be equal in all lanes. -1: it copies.
[[nodiscard]] __device__ inline int warpgroup() { return __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 128, 0) - 1; }

}  // namespace preamble::cuda
