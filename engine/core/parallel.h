// The one place that knows oneTBB.
#pragma once

#include <cstdint>

namespace preamble {

// Any thread may call these at any time.

/// Limits all parallel work of this process that begins from now on to `threads` (0: as many as the cores that this process may use).
void set_threads(int threads);
/// The limit in force.
[[nodiscard]] int threads();

/// Refers to a callable `void(begin, end)` that outlives the call it is handed to. Unlike std::function it never allocates.
class RangeBody {
 public:
  template <class F>
  RangeBody(const F& f) noexcept
      : object_(&f),
        call_([](const void* object, std::int64_t begin, std::int64_t end) { (*static_cast<const F*>(object))(begin, end); }) {}
  void operator()(std::int64_t begin, std::int64_t end) const { call_(object_, begin, end); }

 private:
  const void* object_;
  void (*call_)(const void*, std::int64_t, std::int64_t);
};

/// Calls `body(begin, end)` for blocks that cover [0, count). A block holds at most `grain` indices and blocks begin at
/// multiples of `grain`, so the partition depends on `count` and `grain` alone, never on the number of threads.
void parallel_for(std::int64_t count, std::int64_t grain, RangeBody body);

/// Index of the calling thread in [0, threads()) inside `parallel_for`: for scratch memory per thread.
[[nodiscard]] int thread_index();

}  // namespace preamble
