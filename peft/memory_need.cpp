#include "peft/memory_need.h"

#include "engine/runtime/explain.h"

namespace preamble {

MemoryNeed memory_need(LanguageModel& model, const TrainingStep& step, const Optimizer& optimizer) {
  const Program& program = step.program();
  MemoryNeed need;
  for (const auto& [name, tensor] : model.parameters().loaded()) need.weights += static_cast<std::int64_t>(tensor.bytes());
  need.frozen = program.leaf_bytes(Role::frozen);
  for (const auto& trainable : step.trainables()) need.trained += static_cast<std::int64_t>(trainable.value.bytes());
  need.optimizer = optimizer.state_bytes();
  need.arena = program.arena_bytes();
  need.gradients = gradient_bytes(program);
  need.sums = program.leaf_bytes(Role::state);
  need.lower_bound = program.lower_bound_bytes();
  return need;
}

}  // namespace preamble
