#include "models/position_counts.h"

#include "engine/core/error.h"
#include "engine/ops/rotary.h"
#include "models/causal_lm.h"

namespace preamble {

std::string counts_of(std::string_view positions) { return std::string(positions) + ".counts"; }

double longest_behind_prompt(const Graph& graph) {
  const std::string of_prompts = counts_of(causal::kPromptPositions);
  bool turns_prompts = false;
  double longest = 0;  // of all angles: a model has one kind
  for (const auto& node : graph.nodes()) {
    turns_prompts = turns_prompts || (node.role == Role::input && node.name == of_prompts);
    const auto* angles = dynamic_cast<const RotaryAngles*>(node.op.get());
    if (angles != nullptr && angles->grows()) longest = angles->growth.original_length;
  }
  return turns_prompts ? longest : 0;
}

void check_behind_prompt(std::int64_t positions, double longest) {
  require<UnsupportedError>(longest == 0 || static_cast<double>(positions) <= longest,
                            "{} positions of a sequence, its prompt included; rotary positions of type dynamic turn the rows of a prompt anew for each "
                            "sequence of more than {}: wanted a shorter one, or a prefix",
                            positions, longest);
}

}  // namespace preamble
