// Encoders whose layers are BERT's: what BERT, RoBERTa, DistilBERT, ELECTRA and DeBERTa share.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ops/attention.h"
#include "models/encoder_model.h"
#include "models/encoder_sizes.h"

namespace preamble {

/// What checkpoints call the parts of a layer, behind the layer's own name (`encoder.layer.3.`), and what stands in front of all.
struct EncoderNames {
  std::string_view family = "bert.";
  std::string_view layers = "encoder.layer.";
  std::string_view query = "attention.self.query";
  std::string_view key = "attention.self.key";
  std::string_view value = "attention.self.value";
  std::string_view attention_output = "attention.output.dense";
  std::string_view attention_norm = "attention.output.LayerNorm";
  std::string_view inner = "intermediate.dense";
  std::string_view output = "output.dense";
  std::string_view output_norm = "output.LayerNorm";
};

/// The masked-LM head: a map, its activation, a norm, then the embedding (or a decoder of its own) with a bias.
struct MlmHead {
  std::string_view dense, norm, decoder, bias;
  ActivationKind activation = ActivationKind::gelu;
};

/// Layer: x -> norm(x + attention(x)) -> norm(x + W₂ f(W₁ x)). Names may have the family's prefix or not.
class EncoderStack : public EncoderModel {
 public:
  [[nodiscard]] std::int64_t width() const noexcept override { return shape_.hidden_size; }
  [[nodiscard]] std::int64_t embedding_width() const noexcept override { return shape_.embedding_size; }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return shape_.vocab_size; }
  /// Throws UnsupportedError for a site that an encoder does not have.
  [[nodiscard]] AttentionShape attention_shape(Site site) const override;
  [[nodiscard]] Parameters& parameters() noexcept override { return parameters_; }
  [[nodiscard]] const Parameters& parameters() const noexcept override { return parameters_; }
  [[nodiscard]] Tensor embedding() override;
  [[nodiscard]] std::string_view embedding_name() const noexcept override { return embedding_name_; }
  [[nodiscard]] std::int64_t token_types() const noexcept override { return shape_.type_vocab_size; }

  Value encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) override;
  Value mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) override;

 protected:
  EncoderStack(const EncoderSizes& shape, const EncoderNames& names, Parameters parameters);

  /// Loads the encoder from its checkpoint. `beside`: beginnings of names, behind the prefix, that the checkpoint may have too (heads,
  /// buffers). Throws FileError for a missing or misshaped tensor and for layers that config.json does not count; warns of other tensors.
  void load(const ParameterSource& source, std::span<const std::string_view> beside);

  [[nodiscard]] virtual MlmHead mlm_head_of() const = 0;
  /// Input of the first layer [rows, hidden_size]: embedded tokens with the prompt in front, normalised.
  [[nodiscard]] virtual Value embed(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) = 0;
  /// A value that the attention of all layers reads, declared once; undefined if there is none.
  [[nodiscard]] virtual Value shared_positions(Graph& graph);
  /// Adds to a layer's attention what a family has beside queries, keys and values. `layer`: its name.
  virtual void complete_attention(Graph& graph, AttentionOperands& operands, AttentionOptions& options, Value positions,
                                  const std::string& layer, double dropout);

  /// `bert.embeddings.LayerNorm`
  [[nodiscard]] std::string name(std::string_view inside) const { return prefix_ + std::string(inside); }
  /// Whether the checkpoint has a map of that name.
  [[nodiscard]] bool has_map(std::string_view map) const;
  /// x Wᵀ + b [rows, to]
  [[nodiscard]] Value project(Graph& graph, Value x, const std::string& weights, std::int64_t to);
  [[nodiscard]] Value project(Graph& graph, Value x, const std::string& weights) { return project(graph, x, weights, shape_.hidden_size); }
  [[nodiscard]] Value normed(Graph& graph, Value x, const std::string& weights);
  /// Embedded tokens with the prompt in front [rows, embedding_size].
  [[nodiscard]] Value embedded_tokens(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity);
  /// Adds the rows of `embeddings.TABLE.weight` [size, embedding_size] that the input `index` names. `padding`: a row without gradient; -1:
  /// none.
  [[nodiscard]] Value with_table(Graph& graph, Value x, std::string_view table, std::int64_t size, std::string_view index,
                                 std::int64_t padding = -1);

 private:
  [[nodiscard]] Value attend(Graph& graph, Value x, Value positions, const Conditioning& conditioning, std::int64_t layer, Value slots);
  [[nodiscard]] Value feed_forward(Graph& graph, Value x, const std::string& layer, double dropout);

  EncoderSizes shape_;
  EncoderNames names_;
  Parameters parameters_;
  std::string prefix_;
  std::string embedding_name_;
  std::string decoder_name_;  ///< of the masked-LM head
};

}  // namespace preamble
