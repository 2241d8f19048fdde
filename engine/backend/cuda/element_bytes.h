// Bytes of what scratch memory holds.
#pragma once

#include <cstdint>

namespace preamble::cuda {

inline constexpr std::int64_t kDouble = sizeof(double), kFloat = sizeof(float), kIndex = sizeof(std::int32_t);

}  // namespace preamble::cuda
