#include "engine/backend/cpu/executor.h"

#include "engine/graph/capacity.h"
#include "engine/runtime/program.h"

namespace preamble {

CpuExecutor::CpuExecutor(const Program& program, const KernelTable& kernels)
    : program_(program),
      arena_(std::make_shared<AnonymousMemory>("arena", program.arena_bytes())),
      // kernels write to state and trainable leaves only, whose tensors are writable
      loop_(program, kernels, arena_->data(), [](const Tensor& tensor) { return const_cast<void*>(tensor.data()); }) {}

Tensor CpuExecutor::share(const Location& value) {
  const Graph& graph = program_.graph();
  const Type& type = graph.node(value.node).outputs[static_cast<std::size_t>(value.output)];
  if (value.leaf >= 0) return graph.node(value.leaf).tensor;
  return {type.dtype, capacity_dims(graph, type), arena_, arena_->data() + value.offset};
}

const void* CpuExecutor::fetch(const Location& value, std::size_t /*bytes*/) {
  // a leaf that no step reads has its memory all the same
  if (value.leaf >= 0) return program_.graph().node(value.leaf).tensor.data();
  return loop_.view(value).data;
}

}  // namespace preamble
