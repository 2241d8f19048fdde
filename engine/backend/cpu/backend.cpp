#include <algorithm>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/table.h"

namespace preamble {
namespace {

class Cpu final : public Backend {
 public:
  Cpu() : table_(*std::ranges::find_if(kernel_tables(), [](const KernelTable& table) { return table.runs_here(); })) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "cpu"; }
  [[nodiscard]] std::string_view instruction_set() const noexcept override { return table_.instruction_set; }

  [[nodiscard]] Kernel find(std::string_view op, Dtype real) const noexcept override {
    const auto found = std::ranges::lower_bound(table_.kernels, op, {}, &KernelEntry::op);
    if (found == table_.kernels.end() || found->op != op) return nullptr;
    return real == Dtype::f64 ? found->f64 : found->f32;
  }

 private:
  const KernelTable& table_;
};

}  // namespace

const Backend& cpu_backend() {
  static const Cpu backend;
  return backend;
}

}  // namespace preamble
