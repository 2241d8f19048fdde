#include "peft/prompt_tuning.h"

#include <utility>

#include "engine/core/error.h"
#include "engine/ops/concat_rows.h"

namespace preamble {

std::string slot_name(std::size_t slot, std::size_t slots, std::string_view name) {
  return slots == 1 ? std::string(name) : fmt::format("{}.{}", slot, name);
}

Conditioning prompt_conditioning(Graph& graph, const std::vector<Value>& tables, std::vector<std::int64_t> counts, Placement placement) {
  SlotSpace space{std::string(PromptTuning::kSpace), {}};
  for (const auto count : counts) space.slots.append(static_cast<std::int32_t>(count));
  const RowSpaceId rows = graph.rows(space.name, space.slots.rows(), space.slots.count());
  Conditioning conditioning;
  conditioning.placement = placement;
  conditioning.prompt = PromptRows{concat_rows(tables, std::move(counts), rows), std::move(space)};
  return conditioning;
}

PromptTuning::PromptTuning(std::vector<PromptSlot> prompts, Placement placement) : prompts_(std::move(prompts)), placement_(placement) {
  require<ShapeError>(!prompts_.empty(), "prompt tuning: no prompts were given; wanted one at least");
  for (const auto& prompt : prompts_) {
    const Dims& dims = prompt.embeddings.dims();
    require<ShapeError>(prompt.tokens > 0 && dims.size() == 2 && dims[0] >= prompt.tokens,
                        "prompt tuning: embeddings {} were given for {} virtual tokens", to_string(dims), prompt.tokens);
    require<ShapeError>(dims[1] == width(), "prompt tuning: prompts are {} and {} wide; wanted one width", width(), dims[1]);
  }
}

Conditioning PromptTuning::condition(Graph& graph) const {
  const Scope scope(graph, "prompt");
  std::vector<Value> tables;
  std::vector<std::int64_t> counts;
  for (const auto& trainable : trainables()) tables.push_back(graph.trainable(trainable.name, trainable.value));
  for (const auto& prompt : prompts_) counts.push_back(prompt.tokens);
  return prompt_conditioning(graph, tables, std::move(counts), placement_);
}

std::vector<Trainable> PromptTuning::trainables() const {
  std::vector<Trainable> result;
  for (std::size_t slot = 0; slot < prompts_.size(); ++slot) {
    result.push_back({slot_name(slot, prompts_.size(), kEmbeddings), prompts_[slot].embeddings});
  }
  return result;
}

}  // namespace preamble
