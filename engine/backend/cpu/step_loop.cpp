#include "engine/backend/cpu/step_loop.h"

#include <algorithm>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/converted_values.h"
#include "engine/runtime/program.h"

namespace preamble {

StepLoop::StepLoop(const Program& program, const KernelTable& kernels, std::byte* arena, const LeafMemory& leaf_memory)
    : program_(program),
      arena_(arena),
      cast_(find_kernel(kernels, "cast", Dtype::f32)),
      leaves_(program.graph().nodes().size()),
      layouts_(program.graph().row_spaces().size()),
      differentiates_(std::ranges::any_of(program.graph().outputs(), [](const auto& output) { return output.first.starts_with("grad."); })) {
  for (const auto& step : program.steps()) {
    const Node& node = program.graph().node(step.node);
    const Dtype activation = activation_type(node);
    const Kernel own = cpu::own_kernel(kernels, node);
    kernels_.push_back(own != nullptr ? own : find_kernel(kernels, node.op->name(), Dtype::f32));
    conversions_.push_back(own == nullptr && activation == Dtype::bf16 ? conversions_of(conversions_.size()) : Conversions{});
    in_.emplace_back(step.in.size());
    out_.emplace_back(step.out.size());
    wide_in_.emplace_back();
    wide_out_.emplace_back();
    for (const auto* locations : {&step.in, &step.out}) {
      for (const auto& location : *locations) {
        if (location.leaf >= 0) leaves_[static_cast<std::size_t>(location.leaf)] = leaf_memory(program.graph().node(location.leaf).tensor);
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
    if (conversions_[s].bytes == 0) continue;
    const auto widen = [&](const std::vector<Conversion>& conversions, const std::vector<View>& views, std::vector<View>& wide) {
      wide = views;
      for (const auto& c : conversions) {
        wide[c.index].dtype = Dtype::f32;
        wide[c.index].data = arena_ + steps[s].workspace + c.offset;
      }
    };
    widen(conversions_[s].in, in_[s], wide_in_[s]);
    widen(conversions_[s].out, out_[s], wide_out_[s]);
  }
}

StepLoop::Conversions StepLoop::conversions_of(std::size_t step) const {
  const Graph& graph = program_.graph();
  const Program::Step& made = program_.steps()[step];
  Conversions all;
  const auto add = [&](std::vector<Conversion>& list, std::size_t index, const Type& type) {
    list.push_back({index, all.bytes});
    all.bytes += cpu::converted_bytes(graph, type);
  };
  const auto type_of = [&](const Location& of) -> const Type& { return graph.node(of.node).outputs[static_cast<std::size_t>(of.output)]; };
  for (std::size_t i = 0; i < made.in.size(); ++i) {
    const Location& from = made.in[i];
    if (from.node >= 0 && cpu::is_converted(graph, {const_cast<Graph*>(&graph), from.node, from.output})) add(all.in, i, type_of(from));
  }
  for (std::size_t i = 0; i < made.out.size(); ++i) {
    const Location& to = made.out[i];
    const bool used = to.node >= 0 && (to.offset >= 0 || to.leaf >= 0);
    if (!used || type_of(to).dtype != Dtype::bf16) continue;
    // written over an operand: over its numbers, too
    const auto same =
        std::ranges::find_if(all.in, [&](const Conversion& c) { return to.offset >= 0 && made.in[c.index].offset == to.offset; });
    if (same != all.in.end()) {
      all.out.push_back({i, same->offset});
    } else {
      add(all.out, i, type_of(to));
    }
  }
  return all;
}

void StepLoop::run() {
  for (std::size_t step = 0; step < kernels_.size(); ++step) run_step(step);
}

void StepLoop::run_converted(std::size_t step) {
  const Program::Step& made = program_.steps()[step];
  const Op& op = *program_.graph().node(made.node).op;
  const Conversions& conversions = conversions_[step];
  for (const auto& c : conversions.in) cast_({op, {&in_[step][c.index], 1}, {&wide_in_[step][c.index], 1}, nullptr, 0});
  std::byte* workspace = arena_ + made.workspace + conversions.bytes;
  kernels_[step]({op, wide_in_[step], wide_out_[step], workspace, made.workspace_bytes - conversions.bytes});
  for (const auto& c : conversions.out) cast_({op, {&wide_out_[step][c.index], 1}, {&out_[step][c.index], 1}, nullptr, 0});
}

void StepLoop::run_step(std::size_t step) {
  if (conversions_[step].bytes > 0) {
    run_converted(step);
    return;
  }
  const Program::Step& made = program_.steps()[step];
  std::byte* workspace = made.workspace >= 0 ? arena_ + made.workspace : nullptr;
  kernels_[step]({*program_.graph().node(made.node).op, in_[step], out_[step], workspace, made.workspace_bytes, parts_, differentiates_});
}

View StepLoop::view(const Location& location) const {
  if (location.node < 0) return {};
  const Type& type = program_.graph().node(location.node).outputs[static_cast<std::size_t>(location.output)];
  View view;
  view.dtype = type.dtype;
  view.width = type.width();
  view.dims = &type.dims;
  if (type.has_rows()) {
    view.layout = &layouts_[static_cast<std::size_t>(type.rows)];
    view.rows = view.layout->rows;
  }
  if (location.offset >= 0) {
    view.data = arena_ + location.offset;
  } else if (location.leaf >= 0) {
    view.data = leaves_[static_cast<std::size_t>(location.leaf)];
  }
  return view;
}

}  // namespace preamble
