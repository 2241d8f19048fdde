#include "bench/peak_rate.h"

#include <algorithm>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

namespace preamble::bench {

using Clock = std::chrono::steady_clock;

double peak_rate(PeakLoop loop, int threads, double seconds) {
  std::vector<double> rates(static_cast<std::size_t>(threads));
  std::latch start(threads);
  const auto work = [&](std::size_t thread) {
    start.arrive_and_wait();
    constexpr std::int64_t kRounds = 100'000;
    float sink = 0.5F;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (auto before = Clock::now(); before < end;) {
      const double operations = loop(kRounds, &sink);
      const auto after = Clock::now();
      rates[thread] = std::max(rates[thread], operations / std::chrono::duration<double>(after - before).count());
      before = after;
    }
    // a value that no run reaches, but the compiler cannot know
    if (sink == -1.0F) rates[thread] = 0;
  };
  std::vector<std::jthread> workers;
  for (std::size_t thread = 1; thread < rates.size(); ++thread) workers.emplace_back(work, thread);
  work(0);
  workers.clear();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace preamble::bench
