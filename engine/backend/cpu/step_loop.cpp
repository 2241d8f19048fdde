#include "engine/backend/cpu/step_loop.h"

#include <algorithm>

#include "engine/backend/backend.h"
#include "engine/runtime/program.h"

namespace preamble {

StepLoop::StepLoop(const Program& program, const KernelTable& kernels, std::byte* arena, const LeafMemory& leaf_memory)
    : program_(program), arena_(arena), leaves_(program.graph().nodes().size()), layouts_(program.graph().row_spaces().size()) {
  for (const auto& step : program.steps()) {
    kernels_.push_back(find_kernel(kernels, program.graph().node(step.node).op->name(), activation_type(program.graph().node(step.node))));
    in_.emplace_back(step.in.size());
    out_.emplace_back(step.out.size());
    for (const auto* slots : {&step.in, &step.out}) {
      for (const auto& slot : *slots) {
        if (slot.leaf >= 0) leaves_[static_cast<std::size_t>(slot.leaf)] = leaf_memory(program.graph().node(slot.leaf).tensor);
      }
    }
  }
}

void StepLoop::set_layouts(std::span<const RowLayout> layouts) {
  std::ranges::copy(layouts, layouts_.begin());
  const auto& steps = program_.steps();
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::size_t i = 0; i < steps[s].in.size(); ++i) in_[s][i] = view(steps[s].in[i]);
    for (std::size_t i = 0; i < steps[s].out.size(); ++i) out_[s][i] = view(steps[s].out[i]);
  }
}

void StepLoop::run() {
  for (std::size_t step = 0; step < kernels_.size(); ++step) run_step(step);
}

void StepLoop::run_step(std::size_t step) {
  const Program::Step& made = program_.steps()[step];
  std::byte* workspace = made.workspace >= 0 ? arena_ + made.workspace : nullptr;
  kernels_[step]({*program_.graph().node(made.node).op, in_[step], out_[step], workspace, made.workspace_bytes});
}

View StepLoop::view(const Slot& slot) const {
  if (slot.node < 0) return {};
  const Type& type = program_.graph().node(slot.node).outputs[static_cast<std::size_t>(slot.output)];
  View view;
  view.dtype = type.dtype;
  view.width = type.width();
  view.dims = &type.dims;
  if (type.has_rows()) {
    view.layout = &layouts_[static_cast<std::size_t>(type.rows)];
    view.rows = view.layout->rows;
  }
  if (slot.offset >= 0) {
    view.data = arena_ + slot.offset;
  } else if (slot.leaf >= 0) {
    view.data = leaves_[static_cast<std::size_t>(slot.leaf)];
  }
  return view;
}

}  // namespace preamble
