// The one place that knows oneTBB.
#pragma once

#include <cstdint>
#include <functional>

namespace preamble {

/// Limits all parallel work of this process to `threads` (0: as many as the machine has).
void set_threads(int threads);
/// The limit in force.
[[nodiscard]] int threads();

/// Calls `body(begin, end)` for blocks that cover [0, count). A block holds at most `grain` indices and blocks begin at
/// multiples of `grain`, so the partition depends on `count` and `grain` alone, never on the number of threads.
void parallel_for(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body);

/// Index of the calling thread in [0, threads()) inside `parallel_for`: for scratch memory per thread.
[[nodiscard]] int thread_index();

}  // namespace preamble
