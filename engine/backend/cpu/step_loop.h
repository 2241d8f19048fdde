// The steps of a program over memory of this process.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "engine/backend/cpu/converted_values.h"
#include "engine/backend/cpu/table.h"
#include "engine/core/rows.h"
#include "engine/core/tensor.h"
#include "engine/graph/kernel.h"
#include "engine/runtime/location.h"

namespace preamble {

class Program;

/// Calls the kernels of a program one after the other. Its maker decides where the values lie.
class StepLoop {
 public:
  /// Memory of a leaf.
  using LeafMemory = std::function<void*(const Tensor&)>;

  /// `arena`: `Program::arena_bytes` bytes that outlive the loop, as the program does.
  StepLoop(const Program& program, const KernelTable& kernels, std::byte* arena, const LeafMemory& leaf_memory);

  /// The layout of every row space. The arrays that they point at must live until the last run with them.
  void set_layouts(std::span<const RowLayout> layouts);
  /// The parts of the batch, which kernels get. The array must live until the last run with them.
  void set_parts(std::span<const std::int32_t> parts) noexcept { parts_ = parts; }
  /// Allocates nothing.
  void run();
  void run_step(std::size_t step);
  /// Where a value lies, for as many rows as its row space has now.
  [[nodiscard]] View view(const Location& location) const;

 private:
  /// A value in bf16 of a step whose kernel computes in float32: its numbers lie in the step's scratch memory meanwhile.
  struct Conversion {
    std::size_t index = 0;
    std::int64_t offset = 0;
  };
  struct Conversions {
    std::vector<Conversion> in, out;
    std::int64_t bytes = 0;  ///< in front of the kernel's own scratch memory
    /// Where the step runs for some rows at a time: offsets of values with rows count from the beginning of a lane.
    cpu::ConvertedRows by_rows = {};
  };

  [[nodiscard]] Conversions conversions_of(std::size_t step) const;
  void run_converted(std::size_t step);
  void run_by_rows(std::size_t step);
  void run_rows(std::size_t step, std::byte* lane, std::int64_t first, std::int64_t end);

  const Program& program_;
  std::byte* arena_;
  std::vector<Kernel> kernels_;
  Kernel cast_;
  std::vector<Conversions> conversions_;
  std::vector<void*> leaves_;  ///< by node
  std::vector<RowLayout> layouts_;
  std::span<const std::int32_t> parts_;
  bool differentiates_;  ///< the program has gradients
  std::vector<std::vector<View>> in_, out_;
  std::vector<std::vector<View>> wide_in_, wide_out_;  ///< of steps with conversions: what the kernel gets
};

}  // namespace preamble
