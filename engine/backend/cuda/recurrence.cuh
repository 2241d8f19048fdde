// Rows that depend on the row before: launches whose blocks run all at once and wait for each other. Included by .cu files alone.
#pragma once

#include <cooperative_groups.h>

#include "engine/backend/cuda/reduce.cuh"
#include "engine/backend/cuda/rows.cuh"

namespace preamble::cuda {

/// The segments of a row space, each walked from its first row, or with `reversed` from its last.
struct Recurrence {
  const Layout* layout;
  bool reversed;

  [[nodiscard]] __device__ std::int32_t length(std::int64_t segment) const {
    return layout->offsets[segment + 1] - layout->offsets[segment];
  }
  /// Row of step t.
  [[nodiscard]] __device__ std::int64_t row(std::int64_t segment, std::int32_t t) const {
    return reversed ? layout->offsets[segment + 1] - 1 - t : layout->offsets[segment] + t;
  }
  /// The row whose step comes before that of row r, -1 if there is none.
  [[nodiscard]] __device__ std::int64_t before(std::int64_t r) const {
    const std::int32_t segment = layout->segment_of_row[r];
    const bool starts = reversed ? r + 1 == layout->offsets[segment + 1] : r == layout->offsets[segment];
    return starts ? -1 : reversed ? r + 1 : r - 1;
  }
  /// Steps of the longest segment. A whole warp asks.
  [[nodiscard]] __device__ std::int32_t steps() const {
    std::int32_t most = 0;
    for (std::int32_t s = static_cast<std::int32_t>(threadIdx.x) % kWarp; s < layout->segments; s += kWarp) {
      const std::int32_t other = length(s);
      most = other > most ? other : most;
    }
    return __reduce_max_sync(0xFFFFFFFFU, most);
  }
};

/// One block a multiprocessor.
template <class Call>
void launch_together(const char* name, void (*kernel)(Call), int threads, const Queue& queue, Call call) {
  void* parameters[] = {&call};
  check(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(kernel), dim3(static_cast<unsigned>(queue.multiprocessors)),
                                    dim3(static_cast<unsigned>(threads)), parameters, 0, queue.stream),
        name, ": launch");
}

}  // namespace preamble::cuda
