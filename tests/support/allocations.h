// Counting allocations. Link allocations.cpp into the test executable: it replaces operator new.
#pragma once

#include <cstdint>

namespace preamble::testing {

/// Calls of operator new so far, in all threads.
[[nodiscard]] std::int64_t allocations() noexcept;

}  // namespace preamble::testing
