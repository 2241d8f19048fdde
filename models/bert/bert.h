// BERT (Devlin et al. 2019) and its family: RoBERTa, XLM-RoBERTa, DistilBERT and ELECTRA.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "models/bert/config.h"
#include "models/encoder_stack.h"

namespace preamble {

/// Dropout, as in transformers: of normalised embeddings, of attention probabilities, of what attention and feed-forward add. Heads: in
/// front of the classifier, in the heads of sequences of RoBERTa and ELECTRA in front of both maps, in DistilBERT's between them, and in
/// front of its map to spans; none in front of BERT's pooler and of the others' spans. One rate serves all of them.
class Bert final : public EncoderStack {
 public:
  /// Checks nothing beyond the names until a graph is built.
  Bert(const BertConfig& config, Parameters parameters);

  /// A Hugging Face folder. Loads the encoder: see `EncoderStack::load`. Heads are loaded where they are used.
  [[nodiscard]] static std::unique_ptr<Bert> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const BertConfig& config() const noexcept { return config_; }

  [[nodiscard]] PositionTable positions() const noexcept override {
    return {config_.max_position_embeddings - config_.position_offset(), config_.position_offset()};
  }
  /// BERT: the pretrained pooler (linear, tanh). RoBERTa: the same, which no class of sequences reads. DistilBERT: `pre_classifier` (linear,
  /// ReLU). ELECTRA: the summary (linear, GELU) in front of a choice's score.
  [[nodiscard]] HeadLayer pooler() const override;
  /// BERT, DistilBERT: pooler, classifier. RoBERTa: linear, tanh, linear. ELECTRA: linear, GELU, linear.
  [[nodiscard]] std::vector<HeadLayer> sequence_head() const override;
  [[nodiscard]] HeadLayer span_head() const override;

 private:
  [[nodiscard]] MlmHead mlm_head_of() const override;
  [[nodiscard]] Value embed(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) override;

  BertConfig config_;
};

}  // namespace preamble
