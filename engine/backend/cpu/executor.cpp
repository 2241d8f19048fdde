#include "engine/backend/cpu/executor.h"

#include "engine/runtime/program.h"

namespace preamble {

CpuExecutor::CpuExecutor(const Program& program, const KernelTable& kernels)
    : program_(program),
      arena_("arena", program.arena_bytes()),
      // kernels write to state and trainable leaves only, whose tensors are writable
      loop_(program, kernels, arena_.data(), [](const Tensor& tensor) { return const_cast<void*>(tensor.data()); }) {}

const void* CpuExecutor::fetch(const Slot& value, std::size_t /*bytes*/) {
  // a leaf that no step reads has its memory all the same
  if (value.leaf >= 0) return program_.graph().node(value.leaf).tensor.data();
  return loop_.view(value).data;
}

}  // namespace preamble
