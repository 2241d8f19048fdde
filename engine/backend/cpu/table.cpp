#include "engine/backend/cpu/table.h"

#include <algorithm>

namespace preamble {

const KernelTable& best_kernel_table() noexcept {
  static const KernelTable& best = *std::ranges::find_if(kernel_tables(), [](const KernelTable& table) { return table.runs_here(); });
  return best;
}

Kernel find_kernel(const KernelTable& table, std::string_view op, Dtype activation) noexcept {
  const auto found = std::ranges::lower_bound(table.kernels, op, {}, &KernelEntry::op);
  if (found == table.kernels.end() || found->op != op) return nullptr;
  return activation == Dtype::f64 ? found->f64 : activation == Dtype::f32 ? found->f32 : nullptr;
}

}  // namespace preamble
