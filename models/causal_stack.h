// Decoder-only models that are one stack of layers between an embedding and a head.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/causal_lm.h"
#include "models/encoder_model.h"
#include "models/layer_stack.h"

namespace preamble {

struct InsertionCapacity;

/// Part of the warning of a checkpoint that has no head, though config.json does not tie it to the embedding.
inline constexpr std::string_view kEmbeddingAsHead = "the embedding serves as head";

/// What a family has around its stack.
struct CausalShape {
  StackShape stack;
  std::int64_t vocabulary = 0;
  std::int64_t padding = -1;  ///< row of the embedding that look-ups give no gradient; -1: none
  double token_scale = 1;     ///< of the rows of tokens; those of prompts are used as they are
  std::int64_t positions = 0;  ///< most of a sequence; 0: any number
  bool tied = true;           ///< where no checkpoint says it: the head is the embedding
};

/// Names of what stands around the stack.
struct CausalNames {
  StackNames stack;
  std::string embedding;  ///< of the vocabulary
  std::string head;       ///< the checkpoint may lack it: then the embedding serves
  std::string token_head = "score";  ///< of transformers' class for tokens
};

/// Dropout: of embeddings with positions, of attention probabilities, of what attention and feed-forward add.
class CausalStack : public CausalLm {
 public:
  [[nodiscard]] std::int64_t width() const noexcept override { return stack_.shape().width; }
  [[nodiscard]] std::int64_t vocabulary() const noexcept override { return shape_.vocabulary; }
  /// As many as config.json allows, or any number where there is no table of positions.
  [[nodiscard]] PositionTable positions() const noexcept override;
  [[nodiscard]] AttentionShape attention_shape(Site site) const override;
  [[nodiscard]] Parameters& parameters() noexcept override { return parameters_; }
  [[nodiscard]] const Parameters& parameters() const noexcept override { return parameters_; }
  [[nodiscard]] Tensor embedding() override;
  [[nodiscard]] std::string_view embedding_name() const noexcept override { return names_.embedding; }

  PromptPass read_prompt(Graph& graph, const PromptRows& prompt, const DropoutRates& dropout) override;
  Value decode(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity) override;
  Value head(Graph& graph, Value hidden) override;
  Value prefill(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, std::vector<KeyValueCache>& caches) override;
  Value step(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest, std::vector<KeyValueCache>& caches) override;

  /// Output of all rows, those of a prompt in front of each sequence among them, for heads: row spaces and inputs are those of encoders.
  /// Throws UnsupportedError for an infix.
  Value encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity);
  [[nodiscard]] std::string_view token_head_name() const noexcept { return names_.token_head; }

 protected:
  CausalStack(const CausalShape& shape, CausalNames names, Parameters&& parameters);

  /// Loads all parameters from the checkpoint, and finds out whether it has a head of its own. `beside`: endings of names that it may have
  /// too (buffers). Throws FileError for a missing or misshaped tensor and for layers that config.json does not count; warns of other tensors.
  void load(const ParameterSource& source, std::span<const std::string_view> beside);

  /// Adds what a model knows of positions to its rows [rows, D]: rows of a table that the input `positions` names. The default adds nothing.
  [[nodiscard]] virtual Value placed(Graph& graph, Value x, std::string_view positions);

 private:
  /// Embedded tokens from the input `ids`, rows of embeddings between them where `names` say, with positions.
  [[nodiscard]] Value embed(Graph& graph, RowSpaceId tokens, const Conditioning& conditioning, const InsertionCapacity& capacity,
                            const PromptNames& names = causal::kInfix);
  /// Attention of a whole batch, to prefixes or through infixes of keys and values.
  [[nodiscard]] Attend attend_to_own(Graph& graph, const Conditioning& conditioning, std::int64_t sequences);

  CausalShape shape_;
  CausalNames names_;
  Parameters parameters_;
  LayerStack stack_;
  std::string head_name_;  ///< of the table that makes logits
};

}  // namespace preamble
