#include "engine/core/parallel.h"

#include <algorithm>
#include <memory>
#include <thread>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

namespace preamble {
namespace {

int limit = 0;
std::unique_ptr<oneapi::tbb::task_arena> arena;

oneapi::tbb::task_arena& workers() {
  if (!arena) arena = std::make_unique<oneapi::tbb::task_arena>(threads());
  return *arena;
}

}  // namespace

void set_threads(int threads) {
  limit = threads;
  arena.reset();
}

int threads() { return limit > 0 ? limit : std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

void parallel_for(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  const std::int64_t blocks = (count + grain - 1) / grain;
  const auto run = [&](std::int64_t block) { body(block * grain, std::min(count, (block + 1) * grain)); };
  if (blocks == 1 || threads() == 1) {
    for (std::int64_t block = 0; block < blocks; ++block) run(block);
    return;
  }
  workers().execute([&] {
    oneapi::tbb::parallel_for(std::int64_t{0}, blocks, run, oneapi::tbb::simple_partitioner());
  });
}

int thread_index() { return std::max(0, oneapi::tbb::this_task_arena::current_thread_index()); }

}  // namespace preamble
