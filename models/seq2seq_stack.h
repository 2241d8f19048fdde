// Encoder-decoders that are two stacks of layers around one embedding.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/encoder_decoder.h"
#include "models/layer_stack.h"

namespace preamble {

/// What a family has around its stacks.
struct Seq2SeqShape {
  StackShape encoder;
  StackShape decoder;
  std::int64_t vocabulary = 0;
};

/// Dropout: of embeddings with positions, and what the stacks drop.
class Seq2SeqStack : public EncoderDecoder {
 public:
  [[nodiscard]] std::int64_t width() const noexcept override { return encoder_.shape().width; }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return vocabulary_; }
  [[nodiscard]] AttentionShape attention_shape(Site site) const override;
  [[nodiscard]] Parameters& parameters() noexcept override { return parameters_; }
  [[nodiscard]] const Parameters& parameters() const noexcept override { return parameters_; }
  [[nodiscard]] Tensor embedding() override { return parameters_.tensor(embedding_name_, {vocabulary_, width()}, ParameterKind::matrix); }
  [[nodiscard]] std::string_view embedding_name() const noexcept override { return embedding_name_; }

  Value encode(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) override;
  Value decode(Graph& graph, Value encoded, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) override;
  void prefill(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::vector<LayerCache>& caches) override;
  void step(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::int64_t longest,
            std::vector<LayerCache>& caches) override;

 protected:
  /// `embedding`: name of the tokens' table.
  Seq2SeqStack(const Seq2SeqShape& shape, StackNames encoder, StackNames decoder, std::string embedding, Parameters&& parameters);

  /// Rows of the embedding for the input `ids`.
  [[nodiscard]] virtual Value embed(Graph& graph, Value ids) = 0;
  /// Adds what a model knows of positions to rows [rows, D] in front of the first layer of `encoder` or `decoder`. The default adds nothing.
  [[nodiscard]] virtual Value placed(Graph& graph, Value x, std::string_view stack, std::string_view positions);
  /// The embedding as an operand.
  [[nodiscard]] Value table(Graph& graph, std::string_view name) {
    return parameters_(graph, name, {vocabulary_, width()}, ParameterKind::matrix);
  }

  std::string embedding_name_;

 private:
  [[nodiscard]] Value embedded_targets(Graph& graph, RowSpaceId decoder, double dropout);

  std::int64_t vocabulary_;
  Parameters parameters_;
  LayerStack encoder_;
  LayerStack decoder_;
};

}  // namespace preamble
