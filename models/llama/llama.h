// Llama (Touvron et al. 2023) and its variants.
#pragma once

#include <filesystem>
#include <memory>

#include "models/causal_stack.h"
#include "models/llama/config.h"

namespace preamble {

/// Layer: x + attention(norm(x)), then x + W₃ (f(W₁ h) ∘ W₂ h) with h = norm(x); rotary positions. Dropout, where it is asked for: of
/// embeddings, of attention probabilities, of what attention and feed-forward add. (transformers drops attention probabilities alone, and only
/// if config.json says so.)
class Llama final : public CausalStack {
 public:
  /// Checks nothing beyond the names until a graph is built. Names may have the prefix `model.` or not.
  Llama(const LlamaConfig& config, Parameters parameters);

  /// A Hugging Face folder. Loads all parameters, and throws FileError for a missing or misshaped tensor and for layers that config.json
  /// does not count; warns of other tensors.
  [[nodiscard]] static std::unique_ptr<Llama> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const LlamaConfig& config() const noexcept { return config_; }

 private:
  LlamaConfig config_;
};

}  // namespace preamble
