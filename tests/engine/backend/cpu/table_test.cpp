#include "engine/backend/cpu/table.h"

#include <array>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace cpu_table_test {

using namespace preamble;

namespace {

bool yes() noexcept { return true; }
bool no() noexcept { return false; }

}  // namespace

TEST_CASE("kernel tables: the first one that runs here is taken") {
  const std::array<KernelTable, 3> tables = {KernelTable{"wide", no, {}}, KernelTable{"narrow", yes, {}}, KernelTable{"baseline", yes, {}}};
  CHECK(&best_of(tables) == &tables[1]);
}

TEST_CASE("kernel tables: a machine that runs none is told how to build for it") {
  const std::array<KernelTable, 2> tables = {KernelTable{"widest", no, {}}, KernelTable{"wide", no, {}}};
  CHECK_THROWS_WITH_AS((void)best_of(tables),
                       "cpu: this machine lacks wide, the least that this build has kernels for; wanted a build with -Dinstruction_sets=all",
                       UnsupportedError);
}

}  // namespace cpu_table_test
