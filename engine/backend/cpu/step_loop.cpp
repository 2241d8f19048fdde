#include "engine/backend/cpu/step_loop.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/converted_values.h"
#include "engine/core/parallel.h"
#include "engine/runtime/program.h"

namespace preamble {
namespace {

/// Most operands or results of an op that runs for some rows at a time.
constexpr std::size_t kMostValues = 16;

}  // namespace

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
    if (conversions_[s].bytes == 0 && conversions_[s].by_rows.rows == 0) continue;
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
  const Node& node = graph.node(made.node);
  const std::size_t outputs = made.out.size();
  const auto flags = std::make_unique<bool[]>(outputs);
  const std::span<bool> used(flags.get(), outputs);
  for (std::size_t i = 0; i < outputs; ++i) used[i] = made.out[i].node >= 0 && (made.out[i].offset >= 0 || made.out[i].leaf >= 0);
  if (std::max(made.in.size(), outputs) <= kMostValues && cpu::converts_by_rows(node, used)) all.by_rows = cpu::ConvertedRows::of(graph, node, used);
  std::int64_t in_lane = 0;
  const auto add = [&](std::vector<Conversion>& list, std::size_t index, const Type& type) {
    const bool rows = all.by_rows.rows > 0 && type.has_rows();
    std::int64_t& next = rows ? in_lane : all.bytes;
    list.push_back({index, next});
    next += rows ? all.by_rows.bytes(type) : cpu::converted_bytes(graph, type);
  };
  const auto type_of = [&](const Location& of) -> const Type& { return graph.node(of.node).outputs[static_cast<std::size_t>(of.output)]; };
  for (std::size_t i = 0; i < made.in.size(); ++i) {
    const Location& from = made.in[i];
    if (from.node >= 0 && cpu::is_converted(graph, {const_cast<Graph*>(&graph), from.node, from.output})) add(all.in, i, type_of(from));
  }
  for (std::size_t i = 0; i < made.out.size(); ++i) {
    const Location& to = made.out[i];
    if (!used[i] || type_of(to).dtype != Dtype::bf16) continue;
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

void StepLoop::run_by_rows(std::size_t step) {
  const Program::Step& made = program_.steps()[step];
  const Conversions& conversions = conversions_[step];
  const Op& op = *program_.graph().node(made.node).op;
  for (const auto& c : conversions.in) {
    if (in_[step][c.index].layout == nullptr) cast_({op, {&in_[step][c.index], 1}, {&wide_in_[step][c.index], 1}, nullptr, 0});
  }
  std::int64_t rows = 0;
  for (const auto* views : {&in_[step], &out_[step]}) {
    for (const View& view : *views) rows = view.layout != nullptr ? view.rows : rows;
  }
  const std::int64_t block = conversions.by_rows.rows, lane_bytes = conversions.by_rows.lane;
  const std::int64_t room = (made.workspace_bytes - conversions.bytes) / lane_bytes;
  const std::int64_t lanes = std::clamp<std::int64_t>(room, 1, threads());
  const std::int64_t blocks = (rows + block - 1) / block;
  std::atomic<std::int64_t> next{0};
  parallel_for(std::min(lanes, blocks), 1, [&](std::int64_t lane, std::int64_t) {
    std::byte* memory = arena_ + made.workspace + conversions.bytes + lane * lane_bytes;
    for (std::int64_t b = next.fetch_add(1); b < blocks; b = next.fetch_add(1)) run_rows(step, memory, b * block, std::min(rows, (b + 1) * block));
  });
}

void StepLoop::run_rows(std::size_t step, std::byte* lane, std::int64_t first, std::int64_t end) {
  const Program::Step& made = program_.steps()[step];
  const Conversions& conversions = conversions_[step];
  const Op& op = *program_.graph().node(made.node).op;
  std::array<View, kMostValues> narrow_in, narrow_out, wide_in, wide_out;
  const auto part = [&](const std::vector<View>& views, const std::vector<View>& wide, const std::vector<Conversion>& converted, auto& from, auto& to) {
    for (std::size_t i = 0; i < views.size(); ++i) {
      from[i] = views[i];
      to[i] = wide[i];
      if (views[i].layout == nullptr) continue;
      if (views[i]) from[i].data = views[i].as<std::byte>() + first * views[i].width * static_cast<std::int64_t>(size_of(views[i].dtype));
      from[i].rows = end - first;
      to[i] = from[i];
    }
    for (const auto& c : converted) {
      if (views[c.index].layout == nullptr) continue;
      to[c.index].dtype = Dtype::f32;
      to[c.index].data = lane + c.offset;
    }
  };
  part(in_[step], wide_in_[step], conversions.in, narrow_in, wide_in);
  part(out_[step], wide_out_[step], conversions.out, narrow_out, wide_out);
  for (const auto& c : conversions.in) {
    if (narrow_in[c.index].layout != nullptr) cast_({op, {&narrow_in[c.index], 1}, {&wide_in[c.index], 1}, nullptr, 0});
  }
  kernels_[step]({op, {wide_in.data(), in_[step].size()}, {wide_out.data(), out_[step].size()}, nullptr, 0});
  for (const auto& c : conversions.out) cast_({op, {&wide_out[c.index], 1}, {&narrow_out[c.index], 1}, nullptr, 0});
}

void StepLoop::run_step(std::size_t step) {
  if (conversions_[step].by_rows.rows > 0) {
    run_by_rows(step);
    return;
  }
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
