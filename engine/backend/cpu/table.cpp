#include "engine/backend/cpu/table.h"

#include <algorithm>

#include "engine/core/error.h"

namespace preamble {

const KernelTable& best_of(std::span<const KernelTable> tables) {
  const auto found = std::ranges::find_if(tables, [](const KernelTable& table) { return table.runs_here(); });
  if (found != tables.end()) return *found;
  raise<UnsupportedError>("cpu: this machine lacks {}, the least that this build has kernels for; wanted a build with -Dinstruction_sets=all",
                          tables.back().instruction_set);
}

const KernelTable& best_kernel_table() {
  static const KernelTable& best = best_of(kernel_tables());
  return best;
}

Kernel find_kernel(const KernelTable& table, std::string_view op, Dtype activation) noexcept {
  const auto found = std::ranges::lower_bound(table.kernels, op, {}, &KernelEntry::op);
  if (found == table.kernels.end() || found->op != op) return nullptr;
  switch (activation) {
    case Dtype::f32: return found->f32;
    case Dtype::f64: return found->f64;
    case Dtype::bf16: return found->bf16;
    default: return nullptr;
  }
}

}  // namespace preamble
