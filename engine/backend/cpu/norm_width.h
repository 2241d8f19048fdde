// The longest rows that norms of activations in bf16 read.
#pragma once

#include <cstdint>

namespace preamble::cpu {

/// Kernels keep rows in float32 on their stack while they compute; longer ones are converted in planned memory.
inline constexpr std::int64_t kMostNormWidth = 4096;

}  // namespace preamble::cpu
