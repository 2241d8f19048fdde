// Heads of encoders: a few linear maps from the encoder's output to the logits of a task.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/encoder_model.h"

namespace preamble {

enum class HeadKind : std::uint8_t {
  sequence,   ///< classes of a sequence, from its first row; one class: a number (regression)
  tokens,     ///< classes of each token
  span,       ///< start and end of an answer among a sequence's tokens
  masked_lm,  ///< the vocabulary at each token: the model's own, pretrained head
};

/// PEFT's name of the task: SEQ_CLS, TOKEN_CLS, QUESTION_ANS; and MASKED_LM.
[[nodiscard]] std::string_view name_of(HeadKind kind) noexcept;
/// The kind of that task. Throws ConfigError that lists them.
[[nodiscard]] HeadKind head_kind_of(std::string_view task);

/// The maps that a kind of head has on a model; none for the masked-LM head.
[[nodiscard]] std::vector<HeadLayer> head_layers(const EncoderModel& model, HeadKind kind);

/// Tensors of a head by their names without `base_model.`: `classifier.weight` [classes, D], `classifier.bias` [classes].
using HeadTensors = std::map<std::string, Tensor, std::less<>>;

class Head {
 public:
  /// Maps whose tensors are `given` are the head's own: named `names` + their name in graphs, trained if `trained`. The others are
  /// parameters of the model. `given` may be named as in the checkpoint too. Throws FileError for a map that is in neither or has
  /// other dimensions.
  Head(EncoderModel& model, HeadKind kind, const HeadTensors& given, std::string names, bool trained = true);

  /// A head to be trained. Maps that the checkpoint has with these dimensions start there (those of the backbone stay frozen), others at
  /// N(0, 0.02²) with zero biases: a function of the seed alone. `classes`: of a sequence or token; a span has 2 always.
  [[nodiscard]] static Head fresh(EncoderModel& model, HeadKind kind, std::int64_t classes, std::uint64_t seed, std::string names);

  [[nodiscard]] HeadKind kind() const noexcept { return kind_; }
  /// Width of the logits.
  [[nodiscard]] std::int64_t classes() const noexcept { return classes_; }
  /// A number instead of classes: the loss is the squared error.
  [[nodiscard]] bool is_regression() const noexcept { return kind_ == HeadKind::sequence && classes_ == 1; }

  /// Logits [rows, classes] of any rows of the encoder's output. `dropout`: rate in front of the maps that have it.
  [[nodiscard]] Value logits(Graph& graph, EncoderModel& model, Value hidden, double dropout = 0) const;
  /// The head's own tensors by their names in graphs if they are trained; writing to them trains the head.
  [[nodiscard]] std::vector<std::pair<std::string, Tensor>> trainables() const;
  /// The head's own tensors by their names in checkpoints.
  [[nodiscard]] HeadTensors checkpoint_tensors() const;
  /// The head's own tensors by their names without `names`.
  [[nodiscard]] const HeadTensors& tensors() const noexcept { return own_; }

 private:
  Head(HeadKind kind, std::string names, bool trained) : kind_(kind), names_(std::move(names)), trained_(trained) {}
  [[nodiscard]] Value parameter(Graph& graph, EncoderModel& model, const HeadLayer& layer, std::string_view part, const Dims& dims) const;

  HeadKind kind_;
  std::int64_t classes_ = 0;
  std::vector<HeadLayer> layers_;
  HeadTensors own_;
  std::string names_;
  bool trained_;
};

}  // namespace preamble
