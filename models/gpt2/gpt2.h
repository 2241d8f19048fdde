// GPT-2 (Radford et al. 2019).
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "models/causal_stack.h"
#include "models/gpt2/config.h"

namespace preamble {

/// Dropout, as in transformers: of embeddings with positions, of attention probabilities, of what attention and feed-forward add.
class Gpt2 final : public CausalStack {
 public:
  /// Checks nothing beyond the names until a graph is built. Names may have the prefix `transformer.` or not.
  Gpt2(const Gpt2Config& config, Parameters parameters);

  /// A Hugging Face folder. Loads all parameters, and throws FileError for a missing or misshaped tensor and for layers that config.json
  /// does not count; warns of other tensors.
  [[nodiscard]] static std::unique_ptr<Gpt2> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const Gpt2Config& config() const noexcept { return config_; }
  [[nodiscard]] PositionTable positions() const noexcept override { return {config_.n_positions, 0}; }

 private:
  [[nodiscard]] Value placed(Graph& graph, Value x, std::string_view positions) override;

  Gpt2Config config_;
  std::string position_table_;
};

}  // namespace preamble
