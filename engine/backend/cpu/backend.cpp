#include "engine/backend/backend.h"

#include "engine/backend/cpu/executor.h"
#include "engine/backend/cpu/scratch.h"
#include "engine/backend/cpu/table.h"

namespace preamble {
namespace {

/// A tensor is its own copy.
class HostResidence final : public Residence {
 public:
  [[nodiscard]] void* hold(const Tensor& tensor) override { return const_cast<void*>(tensor.data()); }
  void upload(const Tensor& /*tensor*/) override {}
  void download(Tensor& /*tensor*/) override {}
};

class Cpu final : public Backend {
 public:
  Cpu() : table_(best_kernel_table()) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "cpu"; }
  [[nodiscard]] std::string_view instruction_set() const noexcept override { return table_.instruction_set; }
  [[nodiscard]] bool has_kernel(std::string_view op, Dtype activation) const noexcept override {
    const bool converts = activation == Dtype::bf16 && find_kernel(table_, op, Dtype::f32) != nullptr;
    return converts || find_kernel(table_, op, activation) != nullptr;
  }
  [[nodiscard]] bool reads(Dtype /*stored*/) const noexcept override { return true; }
  [[nodiscard]] std::int64_t scratch(const NodeCost& cost) const override { return cpu::scratch(cost); }
  [[nodiscard]] Residence& residence() const override { return residence_; }
  [[nodiscard]] std::unique_ptr<Executor> executor(const Program& program) const override {
    return std::make_unique<CpuExecutor>(program, table_);
  }

 private:
  const KernelTable& table_;
  mutable HostResidence residence_;
};

}  // namespace

const Backend& cpu_backend() {
  static const Cpu backend;
  return backend;
}

}  // namespace preamble
