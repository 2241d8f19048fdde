// What training needs of a model, whatever its family: a loss in a graph, and batches for it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "data/batching.h"
#include "data/examples.h"
#include "models/blank_model.h"
#include "models/causal_batch.h"
#include "models/heads/headed_encoder.h"
#include "models/seq2seq_batch.h"
#include "peft/method.h"

namespace preamble {

/// A batch of any family.
using LossBatch = std::variant<Seq2SeqBatch, CausalBatch, EncoderBatch>;

/// A model whose loss is computed for batches up to a capacity.
class LossModel {
 public:
  /// Name of the scalar result.
  static constexpr std::string_view kLoss = "loss";
  /// Name of the negative log-likelihood of each label, in the order of the batch.
  static constexpr std::string_view kNll = "nll";

  LossModel() = default;
  LossModel(const LossModel&) = delete;
  LossModel& operator=(const LossModel&) = delete;
  virtual ~LossModel() = default;

  [[nodiscard]] virtual LanguageModel& model() const noexcept = 0;
  /// Trained tensors beside the method's and the model's own: those of heads. Gradients are results `grad.<name>`.
  [[nodiscard]] virtual std::vector<Trainable> trainables() const { return {}; }
  /// Adds the result `loss`: the sum of the labels' losses, weighted as the batch is fed (`LabelWeights`); with `weighs` each sequence's
  /// labels (an encoder: each head's) may have a weight of their own.
  virtual void build(Graph& graph, const Conditioning& conditioning, double z_loss, bool weighs = false) const = 0;

  // Batches are of the model's family: another one throws std::bad_variant_access.

  /// Counts, layouts and inputs of a batch.
  [[nodiscard]] virtual BatchInputs inputs(const LossBatch& batch, const Conditioning& conditioning) const = 0;
  /// Examples as a batch. A decoder-only model reads source and target as one sequence, and the target is labelled; an encoder
  /// reads the source, with the labels that the example's head wants.
  [[nodiscard]] virtual LossBatch batch_of(std::span<const Example* const> examples) const = 0;
};

[[nodiscard]] std::unique_ptr<LossModel> loss_model(EncoderDecoder& model, const Seq2SeqCapacity& capacity);
[[nodiscard]] std::unique_ptr<LossModel> loss_model(CausalLm& model, const CausalCapacity& capacity);
[[nodiscard]] std::unique_ptr<LossModel> loss_model(HeadedEncoder model, const EncoderCapacity& capacity);

/// The language model of a model that fills blanks: targets stand in the blanks of sources.
[[nodiscard]] std::unique_ptr<LossModel> loss_model(BlankModel& model, const EncoderCapacity& capacity);

/// Examples as a batch of a model that fills blanks: each source as part A and a piece behind it, whose rows predict the target. A target ends
/// with the token that ends pieces.
[[nodiscard]] EncoderBatch filled_batch_of(std::span<const Example* const> examples, const BlankTokens& tokens);

/// The task (the head) of each sequence of a batch.
[[nodiscard]] std::vector<std::int32_t> tasks_of(const LossBatch& batch);

/// For batches of `slots` parts, each the largest that an update of these examples can have under the rules: every slot has its own order
/// of the examples. Throws UnsupportedError for a model of another family.
[[nodiscard]] std::unique_ptr<LossModel> slots_loss_model_for(LanguageModel& model, std::span<const Example> examples, const BatchRules& rules,
                                                              std::int64_t slots);

/// Examples as a batch of an encoder: sources, with the labels that heads may want.
[[nodiscard]] EncoderBatch encoder_batch_of(std::span<const Example* const> examples);

/// For the largest of `parts` parts that a batch of these examples can have under the rules. Throws UnsupportedError for a model of
/// another family.
[[nodiscard]] std::unique_ptr<LossModel> loss_model_for(LanguageModel& model, std::span<const Example> examples, const BatchRules& rules,
                                                        std::int64_t parts);
[[nodiscard]] std::unique_ptr<LossModel> loss_model_for(HeadedEncoder model, std::span<const Example> examples, const BatchRules& rules,
                                                        std::int64_t parts);

}  // namespace preamble
