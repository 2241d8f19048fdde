// The steps of a program over memory of this process.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "engine/backend/cpu/table.h"
#include "engine/core/rows.h"
#include "engine/core/tensor.h"
#include "engine/graph/kernel.h"
#include "engine/runtime/slot.h"

namespace preamble {

class Program;

/// Calls the kernels of a program one after the other. Who makes it decides where the values lie.
class StepLoop {
 public:
  /// Memory of a leaf.
  using LeafMemory = std::function<void*(const Tensor&)>;

  /// `arena`: `Program::arena_bytes` bytes that outlive the loop, as the program does.
  StepLoop(const Program& program, const KernelTable& kernels, std::byte* arena, const LeafMemory& leaf_memory);

  /// The layout of every row space. The arrays that they point at must live until the last run with them.
  void set_layouts(std::span<const RowLayout> layouts);
  /// Allocates nothing.
  void run();
  void run_step(std::size_t step);
  /// Where a value lies, for as many rows as its row space has now.
  [[nodiscard]] View view(const Slot& slot) const;

 private:
  const Program& program_;
  std::byte* arena_;
  std::vector<Kernel> kernels_;
  std::vector<void*> leaves_;  ///< by node
  std::vector<RowLayout> layouts_;
  std::vector<std::vector<View>> in_, out_;
};

}  // namespace preamble
