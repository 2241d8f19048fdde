#include "engine/runtime/session.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "engine/graph/op.h"

namespace preamble {

Session::Session(std::shared_ptr<const Program> program) : program_(std::move(program)) {
  arena_bytes_ = static_cast<std::size_t>(std::max<std::int64_t>(program_->arena_bytes(), kBufferAlignment));
  // straight from the system: pages cost nothing until a step touches them, and all go back at once
  void* memory = ::mmap(nullptr, arena_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require<Error>(memory != MAP_FAILED, "arena: the system refused {} bytes: {}", arena_bytes_, std::strerror(errno));
  ::madvise(memory, arena_bytes_, MADV_HUGEPAGE);
  arena_ = static_cast<std::byte*>(memory);
  for (const auto& space : program_->graph().row_spaces()) {
    Layout& layout = layouts_.emplace_back();
    layout.offsets.resize(static_cast<std::size_t>(space.segments) + 1);
    layout.positions.resize(static_cast<std::size_t>(space.rows));
    layout.layout = {0, 0, layout.offsets.data(), nullptr};
  }
  for (const auto& step : program_->steps()) {
    in_.emplace_back(step.in.size());
    out_.emplace_back(step.out.size());
  }
  // leaves whose rows are a row space are full unless told otherwise
  for (const auto& node : program_->graph().nodes()) {
    if (node.op || node.role == Role::input || !node.outputs[0].has_rows()) continue;
    const RowSpace& space = program_->graph().rows(node.outputs[0].rows);
    const auto length = static_cast<std::int32_t>(space.rows);
    rows(space.name, Segments(std::span(&length, 1)));
  }
}

Session::~Session() { ::munmap(arena_, arena_bytes_); }

void Session::rows(std::string_view space, const Segments& segments) {
  const RowSpaceId id = program_->graph().rows(space);
  if (id == kNoRows) return;
  const RowSpace& capacity = program_->graph().rows(id);
  require<ShapeError>(segments.rows() <= capacity.rows && segments.count() <= capacity.segments,
                      "row space '{}': {} rows in {} sequences were given; the program holds at most {} rows in {} sequences", space,
                      segments.rows(), segments.count(), capacity.rows, capacity.segments);
  Layout& layout = layouts_[static_cast<std::size_t>(id)];
  std::ranges::copy(segments.offsets(), layout.offsets.begin());
  std::ranges::copy(segments.positions(), layout.positions.begin());
  layout.layout.rows = segments.rows();
  layout.layout.segments = segments.count();
  layout.layout.positions = segments.positions().empty() ? nullptr : layout.positions.data();
  stale_ = true;
}

View Session::view(const Program::Slot& slot) const {
  if (slot.node < 0) return {};
  const Graph& graph = program_->graph();
  const Type& type = graph.node(slot.node).outputs[static_cast<std::size_t>(slot.output)];
  View view;
  view.dtype = type.dtype;
  view.width = type.width();
  view.dims = &type.dims;
  if (type.has_rows()) {
    view.layout = &layouts_[static_cast<std::size_t>(type.rows)].layout;
    view.rows = view.layout->rows;
  }
  if (slot.offset >= 0) {
    view.data = arena_ + slot.offset;
  } else if (slot.leaf >= 0) {
    // kernels write to state leaves only, whose tensors are writable
    view.data = const_cast<void*>(graph.node(slot.leaf).tensor.data());
  }
  return view;
}

void Session::refresh() {
  const auto& steps = program_->steps();
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::size_t i = 0; i < steps[s].in.size(); ++i) in_[s][i] = view(steps[s].in[i]);
    for (std::size_t i = 0; i < steps[s].out.size(); ++i) out_[s][i] = view(steps[s].out[i]);
  }
  stale_ = false;
}

void Session::run() {
  if (stale_) refresh();
  const auto& steps = program_->steps();
  for (std::size_t s = 0; s < steps.size(); ++s) {
    std::byte* workspace = steps[s].workspace >= 0 ? arena_ + steps[s].workspace : nullptr;
    steps[s].kernel({*program_->graph().node(steps[s].node).op, in_[s], out_[s], workspace, steps[s].workspace_bytes});
  }
}

View Session::input_view(std::string_view name, Dtype dtype) {
  const View memory = view(program_->input(name));
  require<DtypeError>(memory.dtype == dtype, "input '{}': {} was given; wanted {}", name, name_of(dtype), name_of(memory.dtype));
  return memory;
}

View Session::result_view(std::string_view name, Dtype dtype) const {
  const View memory = view(program_->result(name));
  require<DtypeError>(memory.dtype == dtype, "result '{}': read as {}; it holds {}", name, name_of(dtype), name_of(memory.dtype));
  return memory;
}

Tensor Session::result_tensor(std::string_view name) const {
  const View memory = view(program_->result(name));
  Dims dims = *memory.dims;
  if (memory.layout != nullptr) dims.insert(dims.begin(), memory.rows);
  Tensor tensor(memory.dtype, std::move(dims));
  if (tensor.bytes() != 0) std::memcpy(tensor.data(), memory.data, tensor.bytes());
  return tensor;
}

}  // namespace preamble
