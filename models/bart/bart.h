// BART (Lewis et al. 2020).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "models/bart/config.h"
#include "models/encoder_decoder.h"

namespace preamble {

/// Dropout, as in transformers: of embeddings (normalised, with positions), of attention probabilities, of what each sublayer adds. None
/// where `activation_dropout` and `layerdrop` have theirs, which are 0 there unless set.
class Bart final : public EncoderDecoder {
 public:
  /// Checks nothing beyond the names until a graph is built. Names may have the prefix `model.` or not.
  Bart(const BartConfig& config, Parameters parameters);

  /// A Hugging Face folder. Loads all parameters, and throws FileError for a missing or misshaped tensor and for layers that config.json
  /// does not count; warns of other tensors. The bias of the logits is never trained: it is no parameter in transformers either.
  [[nodiscard]] static std::unique_ptr<Bart> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const BartConfig& config() const noexcept { return config_; }

  [[nodiscard]] std::int64_t width() const noexcept override { return config_.d_model; }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return config_.vocab_size; }
  [[nodiscard]] PositionTable positions() const noexcept override { return {config_.max_position_embeddings, BartConfig::kPositionOffset}; }
  [[nodiscard]] AttentionShape attention_shape(Site site) const override;
  [[nodiscard]] std::int32_t pad_id() const noexcept override { return static_cast<std::int32_t>(config_.pad_token_id); }
  [[nodiscard]] std::int32_t decoder_start_id() const noexcept override { return static_cast<std::int32_t>(config_.decoder_start_token_id); }
  [[nodiscard]] Parameters& parameters() noexcept override { return parameters_; }
  [[nodiscard]] Tensor embedding() override;
  [[nodiscard]] std::string_view embedding_name() const noexcept override { return embedding_name_; }

  Value encode(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) override;
  Value decode(Graph& graph, Value encoded, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) override;
  Value head(Graph& graph, Value hidden) override;
  void prefill(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::vector<LayerCache>& caches) override;
  void step(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::int64_t longest,
            std::vector<LayerCache>& caches) override;

 private:
  struct KeyValue {
    Value key, value;
  };
  /// Self-attention of a decoder layer over the keys and values that it makes: what training and generation differ in.
  using Attend = std::function<Value(std::int64_t layer, Value q, Value k, Value v)>;
  /// Keys and values of the encoder's output for a decoder layer.
  using CrossRows = std::function<KeyValue(std::int64_t layer)>;
  /// Inputs that cross-attention reads.
  struct CrossInputs {
    Value slots, source;
  };

  /// `model.encoder.layers.3`
  [[nodiscard]] std::string block(std::string_view stack, std::int64_t layer) const;
  [[nodiscard]] Value project(Graph& graph, Value x, const std::string& name, std::int64_t to);
  [[nodiscard]] Value project(Graph& graph, Value x, const std::string& name) { return project(graph, x, name, config_.d_model); }
  [[nodiscard]] Value normed(Graph& graph, Value x, const std::string& name);
  /// Token rows, with the scale of the embedding.
  [[nodiscard]] Value embed(Graph& graph, Value ids);
  /// Adds positions and normalises: the input of a stack's first layer.
  [[nodiscard]] Value placed(Graph& graph, Value x, const std::string& stack, std::string_view positions);
  [[nodiscard]] Value feed_forward(Graph& graph, Value x, const std::string& layer, std::int64_t inner, double dropout);
  [[nodiscard]] KeyValue cross_rows(Graph& graph, Value encoded, std::int64_t layer);
  [[nodiscard]] Value decoder_layers(Graph& graph, Value x, const Conditioning& conditioning, const Attend& attend, const CrossRows& cross,
                                     const CrossInputs& inputs);
  /// Bias of the logits [V]; undefined if the checkpoint has none.
  [[nodiscard]] Value logits_bias(Graph& graph);

  BartConfig config_;
  Parameters parameters_;
  std::string prefix_;
  std::string embedding_name_;
  std::string head_name_;
};

}  // namespace preamble
