// T5 v1.0 and v1.1 (Raffel et al. 2020), mT5 (Xue et al. 2021) and UMT5 (Chung et al. 2023).
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "engine/ops/attention.h"
#include "models/encoder_decoder.h"
#include "models/t5/config.h"

namespace preamble {

/// Dropout, as in transformers: of embeddings, of attention probabilities, of what attention and feed-forward add, between activation
/// and second map of the feed-forward, of both stacks' normalised outputs.
class T5 final : public EncoderDecoder {
 public:
  /// Checks nothing beyond the names until a graph is built. The embedding is `shared`, or the copy of it that the checkpoint has.
  T5(const T5Config& config, Parameters parameters);

  /// A Hugging Face folder. Loads all parameters, and throws FileError for a missing or misshaped tensor and for layers that config.json
  /// does not count; warns of other tensors.
  [[nodiscard]] static std::unique_ptr<T5> open(const std::filesystem::path& folder, Parameters::Options options = {});

  [[nodiscard]] const T5Config& config() const noexcept { return config_; }
  [[nodiscard]] bool tied() const noexcept { return tied_; }

  [[nodiscard]] std::int64_t width() const noexcept override { return config_.d_model; }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return config_.vocab_size; }
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
  /// `encoder.block.3`
  [[nodiscard]] static std::string block(std::string_view stack, std::int64_t layer);
  [[nodiscard]] Value matrix(Graph& graph, const std::string& name, std::int64_t rows, std::int64_t columns);
  [[nodiscard]] Value project(Graph& graph, Value x, const std::string& name, std::int64_t to);
  [[nodiscard]] Value normed(Graph& graph, Value x, const std::string& name);
  /// Relative positions of a layer's self-attention [buckets, heads].
  [[nodiscard]] Value bias_table(Graph& graph, std::string_view stack, std::int64_t layer);
  [[nodiscard]] Value embed(Graph& graph, Value ids);
  [[nodiscard]] Value feed_forward(Graph& graph, Value x, const std::string& sublayer, double dropout);
  [[nodiscard]] Value self_attention(Graph& graph, Value x, Site site, std::int64_t layer, const AttentionOptions& options,
                                     const Conditioning& conditioning, Value slots);
  [[nodiscard]] Value cross_attention(Graph& graph, Value x, Value key, Value value, const Conditioning& conditioning, std::int64_t layer,
                                      Value slots, Value source);
  T5Config config_;
  Parameters parameters_;
  bool tied_ = false;
  std::string embedding_name_;
};

}  // namespace preamble
