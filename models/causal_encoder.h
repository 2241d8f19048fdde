// A decoder-only model as an encoder: what heads read.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "models/causal_stack.h"
#include "models/encoder_model.h"

namespace preamble {

/// Heads of sequences read the row of the last token, which is the one that has seen all of them (transformers' and PEFT's convention). The
/// classifier of a sequence is `score` without a bias. Prompts run with each sequence here, as the rows of an encoder do.
class CausalEncoder final : public EncoderModel {
 public:
  explicit CausalEncoder(std::unique_ptr<CausalStack> model);

  [[nodiscard]] std::int64_t width() const noexcept override { return model_->width(); }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return model_->vocabulary(); }
  [[nodiscard]] PositionTable positions() const noexcept override { return model_->positions(); }
  [[nodiscard]] Site prefix_site() const noexcept override { return model_->prefix_site(); }
  [[nodiscard]] AttentionShape attention_shape(Site site) const override { return model_->attention_shape(site); }
  [[nodiscard]] Parameters& parameters() noexcept override { return model_->parameters(); }
  [[nodiscard]] const Parameters& parameters() const noexcept override { return model_->parameters(); }
  [[nodiscard]] Tensor embedding() override { return model_->embedding(); }
  [[nodiscard]] std::string_view embedding_name() const noexcept override { return model_->embedding_name(); }
  [[nodiscard]] std::int64_t token_types() const noexcept override { return 0; }
  [[nodiscard]] Pooling pooling() const override { return Pooling::last_token; }

  Value encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) override;
  /// Throws UnsupportedError: the head of a language model predicts the next token.
  Value mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) override;
  /// Throws ConfigError: there is none.
  [[nodiscard]] HeadLayer pooler() const override;
  [[nodiscard]] std::vector<HeadLayer> sequence_head() const override;
  [[nodiscard]] HeadLayer token_head() const override;

 private:
  std::unique_ptr<CausalStack> model_;
};

}  // namespace preamble
