// GLM (Du et al. 2022), the blank-filling model of P-tuning v2.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "engine/ops/attention.h"
#include "models/blank_filling.h"
#include "models/blank_model.h"
#include "models/glm/config.h"

namespace preamble {

/// Layer: x -> x + W_o attention(norm(x)) -> x + W₂ f(W₁ norm(x)); queries, keys and values are one product. A row has a position and a
/// block position. Part A sees itself, pieces see part A and what is in front of them: `AttentionOperands::context`.
///
/// Dropout, as in the published code: of embeddings with positions, of attention probabilities, of what attention and feed-forward add; in
/// front of both maps of the head.
class Glm final : public BlankModel {
 public:
  /// Checks nothing beyond the names until a graph is built. Names may have the prefix `glm.` or not.
  Glm(const GlmConfig& config, Parameters parameters, BlankFilling filling);

  /// A folder of the published form or of transformers'. Loads all parameters, and throws FileError for a missing or misshaped tensor and
  /// for layers that config.json does not count; warns of other tensors.
  [[nodiscard]] static std::unique_ptr<Glm> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const GlmConfig& config() const noexcept { return config_; }

  [[nodiscard]] std::int64_t width() const noexcept override { return config_.hidden_size; }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return config_.vocab_size; }
  [[nodiscard]] PositionTable positions() const noexcept override { return {config_.positions(), 0}; }
  /// Throws UnsupportedError for another site than decoder_self.
  [[nodiscard]] AttentionShape attention_shape(Site site) const override;
  [[nodiscard]] Parameters& parameters() noexcept override { return parameters_; }
  [[nodiscard]] const Parameters& parameters() const noexcept override { return parameters_; }
  [[nodiscard]] Tensor embedding() override;
  [[nodiscard]] std::string_view embedding_name() const noexcept override { return embedding_name_; }
  [[nodiscard]] const BlankFilling* blanks() const noexcept override { return &filling_; }
  [[nodiscard]] Pooling pooling() const override;

  Value encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) override;
  /// The embedding is the output matrix; there is no bias.
  Value mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) override;
  /// `dense`, tanh: the first map of the class's head.
  [[nodiscard]] HeadLayer pooler() const override;
  [[nodiscard]] std::vector<HeadLayer> sequence_head() const override;
  Value prefill(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity, std::vector<KeyValueCache>& caches) override;
  Value step(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest, std::vector<KeyValueCache>& caches) override;

 private:
  /// How the queries of a layer find keys and values.
  using Attend = std::function<Value(std::int64_t layer, Value q, Value k, Value v)>;

  /// `glm.transformer.layers.3.mlp.dense_h_to_4h`
  [[nodiscard]] std::string name(std::string_view inside) const { return prefix_ + std::string(inside); }
  [[nodiscard]] Value normed(Graph& graph, Value x, const std::string& weights);
  [[nodiscard]] Value word_table(Graph& graph);
  /// Embedded tokens with prompts and positions.
  [[nodiscard]] Value embed(Graph& graph, RowSpaceId tokens, const Conditioning& conditioning, const EncoderCapacity& capacity);
  [[nodiscard]] Value layers(Graph& graph, Value x, double dropout, const Attend& attend);
  [[nodiscard]] Attend attend_to_own(Graph& graph, const Conditioning& conditioning, std::int64_t sequences);
  [[nodiscard]] AttentionOptions attention_options() const;

  GlmConfig config_;
  Parameters parameters_;
  BlankFilling filling_;
  std::string prefix_;
  std::string embedding_name_;
};

}  // namespace preamble
