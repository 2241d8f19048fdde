#include "engine/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

namespace preamble {
namespace {

using Arena = oneapi::tbb::task_arena;

std::atomic<int> limit = 0;
/// Guards what is below it: any thread of the host may be the first that needs workers.
std::mutex guard;
// Shared with the calls that run in it, so that a new limit takes it from none of them.
std::shared_ptr<Arena> arena;
// oneTBB starts no more threads than the machine has unless it is told to
std::unique_ptr<oneapi::tbb::global_control> allowed;

// Orders the caller before its blocks. Not on the stack: a block must find it before anything is ordered.
std::atomic<std::uint64_t> forks;

std::shared_ptr<Arena> workers() {
  const std::lock_guard lock(guard);
  if (!arena) {
    arena = std::make_shared<Arena>(threads());
    arena->initialize();
  }
  return arena;
}

}  // namespace

void set_threads(int threads) {
  const std::lock_guard lock(guard);
  limit = threads;
  arena.reset();
  allowed = std::make_unique<oneapi::tbb::global_control>(oneapi::tbb::global_control::max_allowed_parallelism,
                                                          static_cast<std::size_t>(preamble::threads()));
}

int threads() {
  // the cores that this process may use, which taskset, a container or mpirun may have narrowed; asked once: it is a call to the system
  static const int machine = std::max(1, oneapi::tbb::info::default_concurrency());
  const int set = limit;
  return set > 0 ? set : machine;
}

void parallel_for(std::int64_t count, std::int64_t grain, RangeBody body) {
  if (count <= 0) return;
  const std::int64_t blocks = (count + grain - 1) / grain;
  const auto run = [&](std::int64_t block) { body(block * grain, std::min(count, (block + 1) * grain)); };
  if (blocks == 1 || threads() == 1) {
    for (std::int64_t block = 0; block < blocks; ++block) run(block);
    return;
  }
  // Orders the caller before every block and every block before the return (blocks not among each other), as oneTBB does
  // too, but in instrumented code: the thread sanitizer cannot see into Debian's libtbb.
  std::atomic<std::int64_t> joined = 0;
  const auto ordered_run = [&](std::int64_t block) {
    (void)forks.load(std::memory_order_acquire);
    run(block);
    joined.fetch_add(1, std::memory_order_release);
  };
  // where all places of the arena are taken by other threads of the host, one of its own calls this
  const auto all = [&] {
    (void)forks.load(std::memory_order_acquire);
    oneapi::tbb::parallel_for(std::int64_t{0}, blocks, ordered_run, oneapi::tbb::simple_partitioner());
  };
  forks.fetch_add(1, std::memory_order_release);
  workers()->execute(all);
  (void)joined.load(std::memory_order_acquire);
}

int thread_index() { return std::max(0, oneapi::tbb::this_task_arena::current_thread_index()); }

}  // namespace preamble
