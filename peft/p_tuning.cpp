#include "peft/p_tuning.h"

#include <utility>

#include "engine/core/error.h"

namespace preamble {

PTuning::PTuning(std::vector<EncodedPrompt> prompts, Placement placement) : prompts_(std::move(prompts)), placement_(placement) {
  require<ShapeError>(!prompts_.empty(), "P-tuning: no prompts were given; wanted one at least");
  const std::int64_t width = prompts_.front().encoder.shape().output;
  for (const auto& prompt : prompts_) {
    const EncoderShape& shape = prompt.encoder.shape();
    require<ShapeError>(prompt.tokens > 0 && shape.rows >= prompt.tokens, "P-tuning: {} rows were given for {} virtual tokens", shape.rows,
                        prompt.tokens);
    require<ShapeError>(shape.output == width, "P-tuning: prompts are {} and {} wide; wanted one width", width, shape.output);
  }
}

Conditioning PTuning::condition(Graph& graph) const {
  const Scope scope(graph, "prompt");
  std::vector<Value> tables;
  std::vector<std::int64_t> counts;
  for (std::size_t slot = 0; slot < prompts_.size(); ++slot) {
    tables.push_back(prompts_[slot].encoder.build(graph, [&](std::string_view name) { return slot_name(slot, prompts_.size(), name); }));
    counts.push_back(prompts_[slot].tokens);
  }
  return prompt_conditioning(graph, tables, std::move(counts), placement_);
}

std::vector<Trainable> PTuning::trainables() const {
  std::vector<Trainable> result;
  for (std::size_t slot = 0; slot < prompts_.size(); ++slot) {
    for (const auto& tensor : prompts_[slot].encoder.tensors()) {
      result.push_back({slot_name(slot, prompts_.size(), tensor.name), tensor.value});
    }
  }
  return result;
}

}  // namespace preamble
