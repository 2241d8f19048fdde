#include "engine/backend/cuda/executor.h"

#include <algorithm>
#include <utility>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/check.h"
#include "engine/backend/cuda/step_clock.h"
#include "engine/graph/capacity.h"
#include "engine/ops/joined_linear.h"
#include "engine/ops/linear.h"
#include "engine/runtime/program.h"

namespace preamble::cuda {
namespace {

constexpr std::size_t kAlignment = 256;

std::size_t rounded(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Rows to launch for: the count rounded up to a thirty-second of the capacity, so that few graphs serve all batches.
std::int64_t bound_of(std::int64_t rows, std::int64_t capacity) {
  const std::int64_t step = std::max<std::int64_t>(1, (capacity + 31) / 32);
  return std::min(capacity, (rows + step - 1) / step * step);
}

/// Matrices that one product reads lie one behind the other.
void hold_joined_matrices(const Program& program, CudaResidence& residence) {
  const Graph& graph = program.graph();
  for (const auto& node : graph.nodes()) {
    const auto* op = dynamic_cast<const JoinedLinear*>(node.op.get());
    if (op == nullptr) continue;
    std::vector<Tensor> matrices;
    for (std::size_t i = 0; i < op->count; ++i) matrices.push_back(graph.node(node.inputs[op->weight(i)]).tensor);
    residence.hold_together(matrices);
  }
}

}  // namespace

CapturedSteps::CapturedSteps(cudaGraph_t graph) {
  const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "capture of a program");
}

CapturedSteps::CapturedSteps(CapturedSteps&& other) noexcept : executable_(std::exchange(other.executable_, nullptr)) {}

CapturedSteps& CapturedSteps::operator=(CapturedSteps&& other) noexcept {
  std::swap(executable_, other.executable_);
  return *this;
}

CapturedSteps::~CapturedSteps() {
  if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
}

void CapturedSteps::launch(cudaStream_t stream) const { check(cudaGraphLaunch(executable_, stream), "launch of a program"); }

CudaExecutor::CudaExecutor(const Program& program, int device, const Queue& queue, CudaResidence& residence)
    : program_(program),
      device_(device),
      queue_(queue),
      residence_(residence),
      leaves_(program.graph().nodes().size(), nullptr),
      input_at_(program.graph().nodes().size(), 0),
      layout_block_(program.graph().row_spaces()),
      layouts_(program.graph().row_spaces().size()),
      bounds_(program.graph().row_spaces().size(), 0) {
  check(cudaSetDevice(device_), "device cuda:", device_);
  const Graph& graph = program.graph();
  block_bytes_ = rounded(layout_block_.bytes());
  for (std::int32_t n = 0; n < graph.size(); ++n) {
    if (graph.node(n).role != Role::input) continue;
    input_at_[static_cast<std::size_t>(n)] = block_bytes_;
    block_bytes_ += rounded(static_cast<std::size_t>(graph.bytes(graph.node(n).outputs[0])));
  }
  arena_ = std::make_shared<DeviceMemory>("arena", static_cast<std::size_t>(program.arena_bytes()));
  block_ = DeviceMemory("inputs", block_bytes_);
  for (auto& host : host_blocks_) host = PinnedMemory("inputs", block_bytes_);
  for (auto& event : copied_) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "event");
  hold_joined_matrices(program, residence);
  for (const auto& step : program.steps()) {
    const Node& node = graph.node(step.node);
    kernels_.push_back(find_kernel(node.op->name(), activation_type(node)));
    hold_narrow_biases(kernels_.size() - 1);
    in_.emplace_back(step.in.size());
    out_.emplace_back(step.out.size());
    for (const auto* locations : {&step.in, &step.out}) {
      for (const auto& location : *locations) {
        if (location.leaf < 0) continue;
        leaves_[static_cast<std::size_t>(location.leaf)] = static_cast<std::byte*>(residence.hold(graph.node(location.leaf).tensor));
      }
    }
  }
}

/// A product in bf16 ends in a bias of bf16.
void CudaExecutor::hold_narrow_biases(std::size_t step) {
  const Graph& graph = program_.graph();
  const Node& node = graph.node(program_.steps()[step].node);
  if (activation_type(node) != Dtype::bf16) return;
  std::vector<std::size_t> operands;
  if (dynamic_cast<const Linear*>(node.op.get()) != nullptr) operands = {Linear::kBias};
  if (const auto* op = dynamic_cast<const JoinedLinear*>(node.op.get())) {
    for (std::size_t i = 0; i < op->count; ++i) operands.push_back(op->bias(i));
  }
  std::vector<Tensor> biases;
  for (const auto i : operands) {
    if (i >= node.inputs.size() || !node.inputs[i]) return;
    const Node& leaf = graph.node(node.inputs[i]);
    if (leaf.role != Role::frozen || leaf.tensor.dtype() != Dtype::f32) return;
    biases.push_back(leaf.tensor);
  }
  const std::vector<void*> copies = residence_.hold_narrow(biases);
  for (std::size_t i = 0; i < copies.size(); ++i) narrow_biases_.push_back({step, operands[i], copies[i]});
}

CudaExecutor::~CudaExecutor() {
  // the arena may still be in use
  cudaStreamSynchronize(queue_.stream);
  for (auto* event : copied_) cudaEventDestroy(event);
}

void* CudaExecutor::staging(const Location& input) {
  wait_for(current_);
  return host_blocks_[current_].data() + input_at_[static_cast<std::size_t>(input.node)];
}

void CudaExecutor::set_layouts(std::span<const RowLayout> layouts) {
  std::copy(layouts.begin(), layouts.end(), layouts_.begin());
  for (std::size_t i = 0; i < layouts_.size(); ++i) {
    bounds_[i] = bound_of(layouts_[i].rows, program_.graph().rows(static_cast<RowSpaceId>(i)).rows);
  }
}

std::byte* CudaExecutor::memory_of(const Location& location) const {
  if (location.node >= 0 && program_.graph().node(location.node).role == Role::input) {
    return block_.data() + input_at_[static_cast<std::size_t>(location.node)];
  }
  if (location.offset >= 0) return arena_->data() + location.offset;
  return location.leaf >= 0 ? leaves_[static_cast<std::size_t>(location.leaf)] : nullptr;
}

View CudaExecutor::view(const Location& location) const {
  if (location.node < 0) return {};
  const Type& type = program_.graph().node(location.node).outputs[static_cast<std::size_t>(location.output)];
  View view;
  view.data = memory_of(location);
  view.dtype = type.dtype;
  view.width = type.width();
  view.stride = location.stride;
  view.dims = &type.dims;
  if (type.has_rows()) {
    const auto space = static_cast<std::size_t>(type.rows);
    view.rows = bounds_[space];
    view.segments = program_.graph().rows(type.rows).segments;
    view.layout = reinterpret_cast<const Layout*>(block_.data() + layout_block_.offset(space));
  }
  return view;
}

void CudaExecutor::begin_steps() {
  if (prologue_) prologue_();
  const auto& steps = program_.steps();
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::size_t i = 0; i < steps[s].in.size(); ++i) in_[s][i] = view(steps[s].in[i]);
    for (std::size_t i = 0; i < steps[s].out.size(); ++i) out_[s][i] = view(steps[s].out[i]);
  }
  for (const auto& bias : narrow_biases_) {
    in_[bias.step][bias.operand].data = bias.data;
    in_[bias.step][bias.operand].dtype = Dtype::bf16;
  }
}

void CudaExecutor::launch_step(std::size_t step) {
  const Program::Step& made = program_.steps()[step];
  std::byte* scratch = made.workspace >= 0 ? arena_->data() + made.workspace : nullptr;
  kernels_[step]({*program_.graph().node(made.node).op, in_[step], out_[step], scratch, made.workspace_bytes, queue_});
}

void CudaExecutor::set_prologue(std::function<void()> enqueue) {
  drop_captured();
  prologue_ = std::move(enqueue);
}

void CudaExecutor::launch_steps() {
  begin_steps();
  for (std::size_t step = 0; step < kernels_.size(); ++step) launch_step(step);
}

void CudaExecutor::run_timed() {
  begin_steps();
  for (std::size_t step = 0; step < kernels_.size(); ++step) {
    queue_.clock->begin(queue_.stream);
    launch_step(step);
    queue_.clock->end(queue_.stream, program_.graph().node(program_.steps()[step].node).op->name(), in_[step], out_[step]);
  }
  queue_.clock->collect();
}

void CudaExecutor::wait_for(std::size_t block) { check(cudaEventSynchronize(copied_[block]), "upload of inputs"); }

CudaExecutor::Captured& CudaExecutor::captured() {
  if (const auto found = graphs_.find(bounds_); found != graphs_.end()) return found->second;
  if (graphs_.size() >= kMostGraphs) {
    graphs_.erase(std::min_element(graphs_.begin(), graphs_.end(), [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
  return graphs_[bounds_];
}

void CudaExecutor::upload_inputs() {
  check(cudaSetDevice(device_), "device cuda:", device_);
  wait_for(current_);
  layout_block_.write(layouts_, host_blocks_[current_].data(), block_.data());
  check(cudaMemcpyAsync(block_.data(), host_blocks_[current_].data(), block_bytes_, cudaMemcpyHostToDevice, queue_.stream),
        "upload of inputs");
  check(cudaEventRecord(copied_[current_], queue_.stream), "upload of inputs");
  current_ = (current_ + 1) % kBlocks;
}

void CudaExecutor::run_step(std::size_t step) {
  if (step == 0) {
    upload_inputs();
    begin_steps();
  }
  launch_step(step);
}

Tensor CudaExecutor::share(const Location& value) {
  const Graph& graph = program_.graph();
  if (value.leaf >= 0) return graph.node(value.leaf).tensor;
  const Type& type = graph.node(value.node).outputs[static_cast<std::size_t>(value.output)];
  Tensor tensor(type.dtype, capacity_dims(graph, type), arena_, arena_->data() + value.offset);
  residence_.adopt(tensor);
  return tensor;
}

void CudaExecutor::run() {
  upload_inputs();
  if (queue_.clock->on()) return run_timed();
  Captured& entry = captured();
  entry.used = ++runs_;
  if (!entry.seen) {
    entry.seen = true;
    launch_steps();
    return;
  }
  if (entry.steps.empty()) {
    check(cudaStreamBeginCapture(queue_.stream, cudaStreamCaptureModeThreadLocal), "capture of a program");
    cudaGraph_t graph = nullptr;
    try {
      launch_steps();
    } catch (...) {
      if (cudaStreamEndCapture(queue_.stream, &graph) == cudaSuccess) cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(queue_.stream, &graph), "capture of a program");
    entry.steps = CapturedSteps(graph);
  }
  entry.steps.launch(queue_.stream);
}

const void* CudaExecutor::fetch(const Location& value, std::size_t bytes) {
  check(cudaSetDevice(device_), "device cuda:", device_);
  PinnedMemory& copy = fetched_[{value.node, value.output}];
  if (copy.bytes() < bytes || copy.data() == nullptr) copy = PinnedMemory("results", bytes);
  const std::byte* from = memory_of(value);
  // a leaf that no step reads is not on the device
  if (from == nullptr && value.leaf >= 0) {
    from = static_cast<const std::byte*>(residence_.hold(program_.graph().node(value.leaf).tensor));
  }
  if (value.stride != 0 && bytes != 0) {
    const Type& type = program_.graph().node(value.node).outputs[static_cast<std::size_t>(value.output)];
    const std::size_t row = static_cast<std::size_t>(type.width()) * size_of(type.dtype);
    check(cudaMemcpy2DAsync(copy.data(), row, from, static_cast<std::size_t>(value.stride) * size_of(type.dtype), row, bytes / row,
                            cudaMemcpyDeviceToHost, queue_.stream),
          "download of ", bytes, " bytes");
  } else if (bytes != 0) {
    check(cudaMemcpyAsync(copy.data(), from, bytes, cudaMemcpyDeviceToHost, queue_.stream), "download of ", bytes, " bytes");
  }
  check(cudaStreamSynchronize(queue_.stream), "a program's steps");
  return copy.data();
}

}  // namespace preamble::cuda
