// P-tuning (Liu et al. 2021, "GPT understands, too"): prompt rows that come out of a small network.
#pragma once

#include <cstdint>
#include <vector>

#include "peft/prompt_encoder.h"
#include "peft/prompt_tuning.h"

namespace preamble {

/// One reparametrised prompt. The encoder computes all its rows; the first `tokens` are used. PEFT has twice as many for
/// encoder-decoders (`num_transformer_submodules` 2), which an LSTM does see.
struct EncodedPrompt {
  PromptEncoder encoder;
  std::int64_t tokens = 0;

  /// As a plain prompt.
  [[nodiscard]] PromptSlot fold() const { return {encoder.fold(), tokens}; }
};

class PTuning final : public Method {
 public:
  /// Slot i of a program is prompts[i]. Throws ShapeError for no prompts, different widths, or too few rows.
  explicit PTuning(std::vector<EncodedPrompt> prompts, Placement placement = Placement::prefix);

  [[nodiscard]] Conditioning condition(Graph& graph) const override;
  /// Named as in PEFT's state dict: `embedding.weight`, `mlp_head.0.weight`, ...
  [[nodiscard]] std::vector<Trainable> trainables() const override;
  [[nodiscard]] const std::vector<EncodedPrompt>& prompts() const noexcept { return prompts_; }
  [[nodiscard]] Placement placement() const noexcept { return placement_; }

 private:
  std::vector<EncodedPrompt> prompts_;
  Placement placement_;
};

}  // namespace preamble
