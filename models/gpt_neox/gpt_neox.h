// GPT-NeoX (Black et al. 2022) and Pythia (Biderman et al. 2023).
#pragma once

#include <filesystem>
#include <memory>

#include "models/causal_stack.h"
#include "models/gpt_neox/config.h"

namespace preamble {

/// Dropout, as in transformers: of embeddings, of attention probabilities, of what attention and feed-forward add.
class GptNeox final : public CausalStack {
 public:
  /// Checks nothing beyond the names until a graph is built. Names may have the prefix `gpt_neox.` or not.
  GptNeox(const GptNeoxConfig& config, Parameters parameters);

  /// A Hugging Face folder. Loads all parameters, and throws FileError for a missing or misshaped tensor and for layers that config.json
  /// does not count; warns of other tensors.
  [[nodiscard]] static std::unique_ptr<GptNeox> open(const std::filesystem::path& folder, Parameters::Options options = {});
};

}  // namespace preamble
