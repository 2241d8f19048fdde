// Prompt tuning (Lester et al. 2021): trained rows in front of the embedded input, or (Li and Liang 2021) behind the source.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "peft/method.h"

namespace preamble {

/// One prompt as PEFT stores it: the first `tokens` rows are used, rows behind them are dead weight that PEFT writes for
/// encoder-decoders (`num_transformer_submodules` 2) and that gets a zero gradient.
struct PromptSlot {
  Tensor embeddings;  ///< [>= tokens, D], F32 (F64 for double-precision graphs), writable
  std::int64_t tokens = 0;
};

/// Rows of a prompt from one table a slot: the first counts[i] rows of tables[i] are the prompt of slot i. Tables are
/// [N, D] with or without a row space of their own.
[[nodiscard]] Conditioning prompt_conditioning(Graph& graph, const std::vector<Value>& tables, std::vector<std::int64_t> counts,
                                               Placement placement = Placement::prefix);

class PromptTuning final : public Method {
 public:
  static constexpr std::string_view kEmbeddings = "prompt_embeddings";
  static constexpr std::string_view kSpace = "prompt";

  /// Slot i of a program is prompts[i]. Throws ShapeError for no prompts, different widths, or too few rows.
  explicit PromptTuning(std::vector<PromptSlot> prompts, Placement placement = Placement::prefix);

  [[nodiscard]] Conditioning condition(Graph& graph) const override;
  [[nodiscard]] std::vector<Trainable> trainables() const override;
  [[nodiscard]] const std::vector<PromptSlot>& prompts() const noexcept { return prompts_; }
  [[nodiscard]] Placement placement() const noexcept { return placement_; }
  [[nodiscard]] std::int64_t width() const { return prompts_.front().embeddings.dim(1); }

 private:
  std::vector<PromptSlot> prompts_;
  Placement placement_;
};

}  // namespace preamble
