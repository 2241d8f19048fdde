// What the machine's multiply-add units can do at this moment.
#pragma once

namespace preamble::bench {

/// Single-precision operations per second of `threads` threads that run independent fused multiply-adds in registers, with
/// the widest vectors that the processor has. Takes about `seconds`.
[[nodiscard]] double fma_peak(int threads, double seconds);

}  // namespace preamble::bench
