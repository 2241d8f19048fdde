// DeBERTa v2 and v3 (He et al. 2021; He et al. 2023): an encoder whose attention reads relative positions from tables.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/ops/attention.h"
#include "models/deberta/config.h"
#include "models/encoder_model.h"

namespace preamble {

/// Dropout, as in transformers: of normalised embeddings, of the position table anew in each layer, of attention probabilities, of what
/// attention and feed-forward add; of the classifier's input. None in front of the pooler: `pooler_dropout` is 0 in published models.
class Deberta final : public EncoderModel {
 public:
  /// Checks nothing beyond the names until a graph is built. Names may have the prefix `deberta.` or not.
  Deberta(const DebertaConfig& config, Parameters parameters);

  /// A Hugging Face folder. Loads the encoder, and throws FileError for a missing, unexpected or misshaped tensor. Heads are loaded where
  /// they are used.
  [[nodiscard]] static std::unique_ptr<Deberta> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const DebertaConfig& config() const noexcept { return config_; }

  [[nodiscard]] std::int64_t width() const noexcept override { return config_.hidden_size; }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return config_.vocab_size; }
  [[nodiscard]] PositionTable positions() const noexcept override {
    return {config_.position_biased_input ? config_.max_position_embeddings : 0, 0};
  }
  /// Throws UnsupportedError for a site that an encoder does not have.
  [[nodiscard]] AttentionShape attention_shape(Site site) const override;
  [[nodiscard]] Parameters& parameters() noexcept override { return parameters_; }
  [[nodiscard]] Tensor embedding() override;
  [[nodiscard]] std::string_view embedding_name() const noexcept override { return embedding_name_; }
  [[nodiscard]] std::int64_t token_types() const noexcept override { return config_.type_vocab_size; }

  /// Throws UnsupportedError for a prompt where tokens are embedded with another width than the layers have.
  Value encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) override;
  /// linear, activation, norm, then the embedding (or a decoder of its own) with a bias: the head that the checkpoint has, transformers'
  /// (`cls.`) or the one of the pretraining (`lm_predictions.`).
  Value mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) override;
  /// linear, activation (the context pooler), linear.
  [[nodiscard]] HeadLayer pooler() const override;

 private:
  /// `deberta.embeddings.LayerNorm`
  [[nodiscard]] std::string name(std::string_view inside) const { return prefix_ + std::string(inside); }
  [[nodiscard]] Value project(Graph& graph, Value x, const std::string& weights, std::int64_t to);
  [[nodiscard]] Value project(Graph& graph, Value x, const std::string& weights) { return project(graph, x, weights, config_.hidden_size); }
  [[nodiscard]] Value normed(Graph& graph, Value x, const std::string& weights);
  /// Embedded tokens with the prompt in front, with absolute positions and types where the model has them, normalised.
  [[nodiscard]] Value embed(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity);
  /// Embedded relative positions [2·span, D]; undefined without relative attention.
  [[nodiscard]] Value distances(Graph& graph);
  /// Adds the position tables of a layer.
  void add_positions(Graph& graph, AttentionOperands& operands, Value distances, const std::string& attend, double dropout);
  [[nodiscard]] Value attend(Graph& graph, Value x, Value distances, const Conditioning& conditioning, std::int64_t layer, Value slots);
  [[nodiscard]] Value feed_forward(Graph& graph, Value x, const std::string& layer, double dropout);

  DebertaConfig config_;
  Parameters parameters_;
  std::string prefix_;
  std::string embedding_name_;
  std::string decoder_name_;  ///< of the masked-LM head
};

}  // namespace preamble
