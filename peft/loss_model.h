// What training needs of a model, whatever its family: a loss in a graph, and batches for it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <variant>

#include "data/batching.h"
#include "data/examples.h"
#include "engine/runtime/session.h"
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
  /// Adds the result `loss`: the sum of the labels' losses times the weight given to `feed`.
  virtual void build(Graph& graph, const Conditioning& conditioning, double z_loss) const = 0;

  // Batches are of the model's family: another one throws std::bad_variant_access.

  virtual void feed(Session& session, const LossBatch& batch, const Conditioning& conditioning, double loss_weight) const = 0;
  [[nodiscard]] virtual std::int64_t label_count(const LossBatch& batch, const Conditioning& conditioning) const = 0;
  /// Computed rows of all stacks, prompts included.
  [[nodiscard]] virtual std::int64_t rows(const LossBatch& batch, const Conditioning& conditioning) const = 0;
  /// Examples as a batch. A decoder-only model reads source and target as one sequence, and the target is labelled; an encoder
  /// reads the source, with the labels that the example's head wants.
  [[nodiscard]] virtual LossBatch batch_of(std::span<const Example* const> examples) const = 0;
};

[[nodiscard]] std::unique_ptr<LossModel> loss_model(EncoderDecoder& model, const Seq2SeqCapacity& capacity);
[[nodiscard]] std::unique_ptr<LossModel> loss_model(CausalLm& model, const CausalCapacity& capacity);
[[nodiscard]] std::unique_ptr<LossModel> loss_model(HeadedEncoder model, const EncoderCapacity& capacity);

/// Examples as a batch of an encoder: sources, with the labels that heads may want.
[[nodiscard]] EncoderBatch encoder_batch_of(std::span<const Example* const> examples);

/// For the largest of `parts` parts that a batch of these examples can have under the rules. Throws UnsupportedError for a model of
/// another family.
[[nodiscard]] std::unique_ptr<LossModel> loss_model_for(LanguageModel& model, std::span<const Example> examples, const BatchRules& rules,
                                                        std::int64_t parts);
[[nodiscard]] std::unique_ptr<LossModel> loss_model_for(HeadedEncoder model, std::span<const Example> examples, const BatchRules& rules,
                                                        std::int64_t parts);

}  // namespace preamble
