// Programs on the main processor: inputs, results and leaves are where the host has them.
#pragma once

#include <memory>

#include "engine/backend/cpu/step_loop.h"
#include "engine/backend/executor.h"
#include "engine/core/anonymous_memory.h"

namespace preamble {

class CpuExecutor final : public Executor {
 public:
  CpuExecutor(const Program& program, const KernelTable& kernels);

  [[nodiscard]] void* staging(const Location& input) override { return arena_->data() + input.offset; }
  void set_layouts(std::span<const RowLayout> layouts) override { loop_.set_layouts(layouts); }
  void set_parts(std::span<const std::int32_t> parts) override { loop_.set_parts(parts); }
  void run() override { loop_.run(); }
  void run_step(std::size_t step) override { loop_.run_step(step); }
  [[nodiscard]] Tensor share(const Location& value) override;
  [[nodiscard]] const void* fetch(const Location& value, std::size_t bytes) override;

 private:
  const Program& program_;
  std::shared_ptr<AnonymousMemory> arena_;
  StepLoop loop_;
};

}  // namespace preamble
