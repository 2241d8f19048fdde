// When a product is a read of its weights.
#pragma once

#include <cstdint>

namespace preamble::cpu {

/// Rows up to which a product reads its weights where they lie, by all threads: more rows are worth packed panels.
inline constexpr std::int64_t kFewRows = 16;

}  // namespace preamble::cpu
