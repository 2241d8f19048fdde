// BERT (Devlin et al. 2019) and RoBERTa (Liu et al. 2019), which differ in names, heads and where positions begin.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/bert/config.h"
#include "models/encoder_model.h"

namespace preamble {

/// Dropout, as in transformers: of normalised embeddings, of attention probabilities, of what attention and feed-forward add. Heads: in
/// front of the classifier, in RoBERTa's head of sequences in front of both maps; none in front of BERT's pooler and of spans.
class Bert final : public EncoderModel {
 public:
  /// Checks nothing beyond the names until a graph is built. Names may have the prefix `bert.` (`roberta.`) or not.
  Bert(const BertConfig& config, Parameters parameters);

  /// A Hugging Face folder. Loads the encoder, and throws FileError for a missing, unexpected or misshaped tensor. Heads are loaded where
  /// they are used.
  [[nodiscard]] static std::unique_ptr<Bert> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const BertConfig& config() const noexcept { return config_; }

  [[nodiscard]] std::int64_t width() const noexcept override { return config_.hidden_size; }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return config_.vocab_size; }
  [[nodiscard]] PositionTable positions() const noexcept override {
    return {config_.max_position_embeddings - config_.position_offset(), config_.position_offset()};
  }
  /// Throws UnsupportedError for a site that an encoder does not have.
  [[nodiscard]] AttentionShape attention_shape(Site site) const override;
  [[nodiscard]] Parameters& parameters() noexcept override { return parameters_; }
  [[nodiscard]] Tensor embedding() override;
  [[nodiscard]] std::string_view embedding_name() const noexcept override { return embedding_name_; }
  [[nodiscard]] std::int64_t token_types() const noexcept override { return config_.type_vocab_size; }

  Value encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) override;
  /// linear, activation, norm, then the embedding (or a decoder of its own) with a bias.
  Value mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) override;
  /// BERT: the pretrained pooler (linear, tanh), then a linear map. RoBERTa: linear, tanh, linear.
  [[nodiscard]] HeadLayer pooler() const override;
  [[nodiscard]] std::vector<HeadLayer> sequence_head() const override;

 private:
  /// `bert.embeddings.LayerNorm`
  [[nodiscard]] std::string name(std::string_view inside) const { return prefix_ + std::string(inside); }
  [[nodiscard]] Value project(Graph& graph, Value x, const std::string& weights, std::int64_t to);
  [[nodiscard]] Value project(Graph& graph, Value x, const std::string& weights) { return project(graph, x, weights, config_.hidden_size); }
  [[nodiscard]] Value normed(Graph& graph, Value x, const std::string& weights);
  /// Embedded tokens with the prompt in front, with positions and types, normalised.
  [[nodiscard]] Value embed(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity);
  [[nodiscard]] Value attend(Graph& graph, Value x, const Conditioning& conditioning, std::int64_t layer, Value slots);
  [[nodiscard]] Value feed_forward(Graph& graph, Value x, const std::string& layer, double dropout);

  BertConfig config_;
  Parameters parameters_;
  std::string prefix_;
  std::string embedding_name_;
  std::string decoder_name_;  ///< of the masked-LM head
};

}  // namespace preamble
