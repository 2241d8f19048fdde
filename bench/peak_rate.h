// The rate of a loop on several threads.
#pragma once

#include <cstdint>

namespace preamble::bench {

/// Runs a number of rounds and returns the operations done; `sink` keeps the compiler from dropping them.
using PeakLoop = double (*)(std::int64_t rounds, float* sink);

/// Operations per second of `threads` threads that run the loop for about `seconds`: the sum of each thread's best slice of 100,000 rounds, because
/// whoever shares the machine does not take all of them.
[[nodiscard]] double peak_rate(PeakLoop loop, int threads, double seconds);

}  // namespace preamble::bench
