// Warps that copy tiles to shared memory, and warps that multiply them, each at its own pace. Included by .cu files alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backend/cuda/attention/bf16_tile.cuh"
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
  /// Arrives when all copies have come that this thread has begun.
  __device__ void arrive_after_copies() {
#ifdef PREAMBLE_HAS_WARPGROUPS
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];\n" ::"r"(shared_address(&word_)) : "memory");
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

/// One lane of a converged warp: its number need not be looked up.
[[nodiscard]] __device__ inline bool is_first_lane() {
#ifdef PREAMBLE_HAS_WARPGROUPS
  std::uint32_t first;
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "elect.sync _|p, 0xFFFFFFFF;\n"
      "selp.b32 %0, 1, 0, p;\n"
      "}\n"
      : "=r"(first));
  return first != 0;
#else
  return lane() == 0;
#endif
}

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
    // a writer arrives for what it has stored, and once more for its copies
    for (int i = 0; i < stages; ++i) full[i].begin(2 * writers), empty[i].begin(readers);
  }
  /// A reader waits until a stage is full: its tensor cores may read it then.
  __device__ void wait_full(const RingPlace<stages>& at) {
    full[at.stage].wait(at.parity);
    publish_to_tensor_cores();
  }
  /// A reading warp has done with a stage.
  __device__ void release(int stage) {
    // electing a lane does not order what the other lanes have read before its arrival
    __syncwarp();
    if (is_first_lane()) empty[stage].arrive();
  }
};

/// The side that fills stages with asynchronous copies, and waits for none of them. All writers call it alike.
template <int stages>
class RingWriter {
 public:
  __device__ explicit RingWriter(RingBarriers<stages>& barriers) : barriers_(barriers) {}

  /// Waits until the next stage may be written, and returns it.
  __device__ int open() {
    barriers_.empty[at_.stage].wait(at_.parity ^ 1U);
    return at_.stage;
  }
  /// Ends a stage: it is full when its copies, and those begun before, have come.
  __device__ void close() {
    Barrier& full = barriers_.full[at_.stage];
    full.arrive_after_copies();
    full.arrive();
    at_.next();
  }

 private:
  RingBarriers<stages>& barriers_;
  RingPlace<stages> at_;
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
  static constexpr int kGroups = groups, kCopying = 128, kThreads = kCopying + 128 * groups;
  static constexpr int kCopyingRegisters = groups == 3 ? 56 : 72, kMultiplyingRegisters = groups == 3 ? 152 : 216;
  static constexpr int kRows = 64 * groups;
  static constexpr int kMultiplyingWarps = 4 * groups;

  [[nodiscard]] static unsigned blocks(const Queue& queue, std::int64_t items) {
    return static_cast<unsigned>(std::min<std::int64_t>(items, queue.multiprocessors));
  }
};

/// The number after a group's one, of so many: groups change places from item to item, as the last of an item often has most or least to do.
template <int groups>
[[nodiscard]] __device__ inline int next_group(int group) {
  return group + 1 == groups ? 0 : group + 1;
}

/// Number of this warp's multiplying warpgroup: the compiler knows it to be equal in all lanes. -1: it copies.
[[nodiscard]] __device__ inline int warpgroup() { return __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 128, 0) - 1; }

}  // namespace preamble::cuda
