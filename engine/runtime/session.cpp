#include "engine/runtime/session.h"

#include <algorithm>
#include <cstring>

#include "engine/graph/op.h"

namespace preamble {

Session::Session(std::shared_ptr<const Program> program)
    : program_(std::move(program)), executor_(program_->backend().executor(*program_)) {
  for (const auto& space : program_->graph().row_spaces()) {
    LayoutArrays& arrays = arrays_.emplace_back();
    arrays.offsets.resize(static_cast<std::size_t>(space.segments) + 1);
    arrays.positions.resize(static_cast<std::size_t>(space.rows));
    arrays.selected = !space.is_subset();
    layouts_.push_back({0, 0, arrays.offsets.data(), nullptr});
  }
  // leaves whose rows are a row space are full unless told otherwise
  for (const auto& node : program_->graph().nodes()) {
    if (node.op || node.role == Role::input || !node.outputs[0].has_rows()) continue;
    const RowSpace& space = program_->graph().rows(node.outputs[0].rows);
    const auto length = static_cast<std::int32_t>(space.rows);
    rows(space.name, Segments(std::span(&length, 1)));
  }
}

void Session::rows(std::string_view space, const Segments& segments) {
  const RowSpaceId id = program_->graph().rows(space);
  if (id == kNoRows) return;
  const RowSpace& declared = program_->graph().rows(id);
  if (declared.is_subset()) {
    raise<ShapeError>("row space '{}': a layout was given; wanted an index of rows of '{}'", space, program_->graph().rows(declared.parent).name);
  }
  lay_out(id, segments);
}

void Session::select(std::string_view subset, std::span<const std::int32_t> index) {
  const RowSpaceId id = program_->graph().rows(subset);
  if (id == kNoRows) return;
  const RowSpace& declared = program_->graph().rows(id);
  require<ShapeError>(declared.is_subset(), "row space '{}': an index was given; wanted a layout", subset);
  const auto parent = static_cast<std::size_t>(declared.parent);
  require<ShapeError>(arrays_[parent].selected, "row space '{}': selected before the rows of '{}' were", subset,
                      program_->graph().rows(declared.parent).name);
  lay_out(id, selected(layouts_[parent], index));
  arrays_[static_cast<std::size_t>(id)].selected = true;
  std::ranges::copy(index, static_cast<std::int32_t*>(executor_->staging(program_->input(declared.index()))));
}

const RowLayout& Session::layout(std::string_view space) const {
  const RowSpaceId id = program_->graph().rows(space);
  require<ConfigError>(id != kNoRows, "row space '{}': the program has none of that name", space);
  return layouts_[static_cast<std::size_t>(id)];
}

void Session::lay_out(RowSpaceId space, const Segments& segments) {
  const auto spaces = program_->graph().row_spaces();
  const RowSpace& capacity = program_->graph().rows(space);
  require<ShapeError>(segments.rows() <= capacity.rows && segments.count() <= capacity.segments,
                      "row space '{}': {} rows in {} sequences were given; the program holds at most {} rows in {} sequences", capacity.name,
                      segments.rows(), segments.count(), capacity.rows, capacity.segments);
  LayoutArrays& arrays = arrays_[static_cast<std::size_t>(space)];
  std::ranges::copy(segments.offsets(), arrays.offsets.begin());
  std::ranges::copy(segments.positions(), arrays.positions.begin());
  RowLayout& layout = layouts_[static_cast<std::size_t>(space)];
  layout.rows = segments.rows();
  layout.segments = segments.count();
  layout.positions = segments.positions().empty() ? nullptr : arrays.positions.data();
  // parents are declared before their subsets
  for (auto id = static_cast<std::size_t>(space) + 1; id < arrays_.size(); ++id) {
    if (!spaces[id].is_subset()) continue;
    const auto parent = static_cast<std::size_t>(spaces[id].parent);
    if (parent == static_cast<std::size_t>(space) || !arrays_[parent].selected) arrays_[id].selected = false;
  }
  stale_ = true;
}

void Session::require_selected() const {
  const Graph& graph = program_->graph();
  for (const auto& step : program_->steps()) {
    for (const auto& type : graph.node(step.node).outputs) {
      if (!type.has_rows() || arrays_[static_cast<std::size_t>(type.rows)].selected) continue;
      const RowSpace& space = graph.rows(type.rows);
      raise<ShapeError>("row space '{}': no rows of '{}' were selected since these were laid out", space.name, graph.rows(space.parent).name);
    }
  }
}

void Session::parts(std::span<const std::int32_t> segments) {
  parts_.clear();
  if (!segments.empty()) parts_.push_back(0);
  for (const std::int32_t count : segments) {
    require<ShapeError>(count >= 0, "parts of a batch: {} segments were given; wanted none or more", count);
    parts_.push_back(parts_.back() + count);
  }
  executor_->set_parts(parts_);
}

void Session::apply_layouts() {
  if (stale_) {
    require_selected();
    executor_->set_layouts(layouts_);
  }
  stale_ = false;
}

void Session::run() {
  apply_layouts();
  executor_->run();
}

std::optional<Anomaly> Session::run_until_anomaly() {
  apply_layouts();
  for (std::size_t step = 0; step < program_->steps().size(); ++step) {
    executor_->run_step(step);
    if (auto anomaly = anomaly_of(step)) return anomaly;
  }
  return std::nullopt;
}

std::optional<Anomaly> Session::anomaly_of(std::size_t step) const {
  const Graph& graph = program_->graph();
  const Program::Step& made = program_->steps()[step];
  for (const auto& output : made.out) {
    const auto bad = bad_number(output);
    if (!bad) continue;
    const Node& node = graph.node(made.node);
    Anomaly anomaly{std::string(node.op->name()), node.scope, node.phase, *bad, {}};
    for (const auto& input : made.in) {
      const bool leaf = input.node >= 0 && !graph.node(input.node).op;
      if (leaf && anomaly.leaf.empty() && bad_number(input)) anomaly.leaf = graph.node(input.node).name;
    }
    return anomaly;
  }
  return std::nullopt;
}

std::optional<double> Session::bad_number(const Location& location) const {
  if (location.node < 0 || (location.offset < 0 && location.leaf < 0)) return std::nullopt;
  const Type& type = type_of(location);
  const std::int64_t count = rows_of(type) * type.width();
  if (!is_floating(type.dtype) || count == 0) return std::nullopt;
  return first_not_finite(type.dtype, executor_->fetch(location, static_cast<std::size_t>(count) * size_of(type.dtype)), count);
}

const Type& Session::type_of(const Location& location) const {
  return program_->graph().node(location.node).outputs[static_cast<std::size_t>(location.output)];
}

std::int64_t Session::rows_of(const Type& type) const { return type.has_rows() ? layouts_[static_cast<std::size_t>(type.rows)].rows : 1; }

std::span<std::byte> Session::input_memory(std::string_view name, Dtype dtype) {
  const Location location = program_->input(name);
  for (const auto& space : program_->graph().row_spaces()) {
    require<ConfigError>(!space.is_subset() || space.index() != name, "input '{}': says which rows '{}' has; wanted Session::select", name, space.name);
  }
  const Type& type = type_of(location);
  require<DtypeError>(type.dtype == dtype, "input '{}': {} was given; wanted {}", name, name_of(dtype), name_of(type.dtype));
  return {static_cast<std::byte*>(executor_->staging(location)), static_cast<std::size_t>(rows_of(type) * type.width()) * size_of(dtype)};
}

Session::HostView Session::result_memory(std::string_view name, Dtype dtype) const {
  const Location location = program_->result(name);
  const Type& type = type_of(location);
  require<DtypeError>(type.dtype == dtype, "result '{}': read as {}; it holds {}", name, name_of(dtype), name_of(type.dtype));
  const std::int64_t rows = rows_of(type);
  const std::int64_t count = rows * type.width();
  return {executor_->fetch(location, static_cast<std::size_t>(count) * size_of(dtype)), rows, count};
}

Tensor Session::result_tensor(std::string_view name) const {
  const Type& type = type_of(program_->result(name));
  const HostView memory = result_memory(name, type.dtype);
  Dims dims = type.dims;
  if (type.has_rows()) dims.insert(dims.begin(), memory.rows);
  Tensor tensor(type.dtype, std::move(dims));
  if (tensor.bytes() != 0) std::memcpy(tensor.data(), memory.data, tensor.bytes());
  return tensor;
}

}  // namespace preamble
