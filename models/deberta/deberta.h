// DeBERTa v2 and v3 (He et al. 2021; He et al. 2023): an encoder whose attention reads relative positions from tables.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "models/deberta/config.h"
#include "models/encoder_stack.h"

namespace preamble {

/// Dropout, as in transformers: of normalised embeddings, of the position table anew in each layer, of attention probabilities, of what
/// attention and feed-forward add; of the classifier's input. None in front of the pooler: `pooler_dropout` is 0 in published models.
class Deberta final : public EncoderStack {
 public:
  /// Checks nothing beyond the names until a graph is built.
  Deberta(const DebertaConfig& config, Parameters parameters);

  /// A Hugging Face folder. Loads the encoder: see `EncoderStack::load`. Heads are loaded where they are used.
  [[nodiscard]] static std::unique_ptr<Deberta> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const DebertaConfig& config() const noexcept { return config_; }

  [[nodiscard]] PositionTable positions() const noexcept override {
    return {config_.position_biased_input ? config_.max_position_embeddings : 0, 0};
  }
  /// linear, activation (the context pooler), linear.
  [[nodiscard]] HeadLayer pooler() const override;

 private:
  /// The head that the checkpoint has, transformers' (`cls.`) or the one of the pretraining (`lm_predictions.`).
  [[nodiscard]] MlmHead mlm_head_of() const override;
  [[nodiscard]] Value embed(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) override;
  /// Embedded relative positions [2·span, D]; undefined without relative attention.
  [[nodiscard]] Value shared_positions(Graph& graph) override;
  /// Adds the position tables of a layer.
  void complete_attention(Graph& graph, AttentionOperands& operands, AttentionOptions& options, Value positions, const std::string& layer,
                          double dropout) override;

  DebertaConfig config_;
};

}  // namespace preamble
