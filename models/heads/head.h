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
  choice,     ///< a score of a sequence, likewise or by its likelihood; the choices of an example compete
  tokens,     ///< classes of each token
  span,       ///< start and end of an answer among a sequence's tokens
  masked_lm,  ///< the vocabulary at each token: the model's own, pretrained head
};

/// PEFT's name of the task: SEQ_CLS, TOKEN_CLS, QUESTION_ANS; and MULTIPLE_CHOICE, MASKED_LM.
[[nodiscard]] std::string_view name_of(HeadKind kind) noexcept;
/// The kind of that task. Throws ConfigError that lists them.
[[nodiscard]] HeadKind head_kind_of(std::string_view task);

/// Whether such a head reads one row of a sequence.
[[nodiscard]] constexpr bool reads_first_row(HeadKind kind) noexcept { return kind == HeadKind::sequence || kind == HeadKind::choice; }

/// Whether the labels of such a head say which row of a segment is right.
[[nodiscard]] constexpr bool labels_are_rows(HeadKind kind) noexcept { return kind == HeadKind::span || kind == HeadKind::choice; }

/// What stands in front of the classifier of a head that reads one row.
enum class Pooler : std::uint8_t {
  automatic,  ///< what transformers' class has: the model's pooler; for classes of RoBERTa and ELECTRA a map of the head's own
  frozen,     ///< the checkpoint's pooler, part of the backbone
  trained,    ///< a pooler of the head's own, which starts at the checkpoint's if there is one
  none,       ///< nothing: the classifier is a linear map of [CLS]
};

/// `auto`, `frozen`, `trained`, `none`
[[nodiscard]] std::string_view name_of(Pooler pooler) noexcept;
/// Throws ConfigError that lists them.
[[nodiscard]] Pooler pooler_of(std::string_view name);

/// The maps that a kind of head has on a model; none for the masked-LM head. Throws ConfigError for a pooler of a head that has none.
[[nodiscard]] std::vector<HeadLayer> head_layers(const EncoderModel& model, HeadKind kind, Pooler pooler = Pooler::automatic);

/// Tensors of a head by their names without `base_model.`: `classifier.weight` [classes, D], `classifier.bias` [classes].
using HeadTensors = std::map<std::string, Tensor, std::less<>>;

class Head {
 public:
  /// The choices of a model that fills blanks are scored by the likelihood of their tokens, under its masked-LM head, unless a pooler is
  /// asked for: such a head has no tensors of its own.
  ///
  /// Maps whose tensors are `given` are the head's own: named in graphs by `names` with their own name behind it, trained if `trained`. The
  /// others are parameters of the model. `given` may be named as in the checkpoint too. Throws FileError for a map that is in neither or
  /// has other dimensions.
  Head(EncoderModel& model, HeadKind kind, const HeadTensors& given, std::string names, bool trained = true,
       Pooler pooler = Pooler::automatic);

  /// A head to be trained. Maps that the checkpoint has with these dimensions start there (those of the backbone stay frozen), others at
  /// N(0, 0.02²) with zero biases: a function of the seed alone. `classes`: of a sequence or token; a span has 2 always, a choice 1.
  /// Throws ConfigError for a frozen pooler that the checkpoint does not have.
  [[nodiscard]] static Head fresh(EncoderModel& model, HeadKind kind, std::int64_t classes, std::uint64_t seed, std::string names,
                                  Pooler pooler = Pooler::automatic);

  /// This masked-LM head with logits of these words alone, in their order: the rows of the others are neither read nor made. Throws
  /// ConfigError for another kind of head and for words that are not in the vocabulary, or twice.
  [[nodiscard]] Head restricted_to(std::vector<std::int32_t> words) const;

  [[nodiscard]] HeadKind kind() const noexcept { return kind_; }
  [[nodiscard]] Pooler pooler() const noexcept { return pooler_; }
  /// A choice's score is Σ log p of its labelled tokens.
  [[nodiscard]] bool by_likelihood() const noexcept { return by_likelihood_; }
  /// Whether it reads one row of a sequence.
  [[nodiscard]] bool reads_one_row() const noexcept { return reads_first_row(kind_) && !by_likelihood_; }
  /// Whether it is the model's own language model head.
  [[nodiscard]] bool is_language_model() const noexcept { return kind_ == HeadKind::masked_lm || by_likelihood_; }
  /// The words that it is restricted to; none: all.
  [[nodiscard]] const std::vector<std::int32_t>& words() const noexcept { return words_; }
  /// Width of the logits.
  [[nodiscard]] std::int64_t classes() const noexcept { return classes_; }
  /// A number instead of classes: the loss is the squared error.
  [[nodiscard]] bool is_regression() const noexcept { return kind_ == HeadKind::sequence && classes_ == 1; }

  /// Logits [rows, classes] of any rows of the encoder's output. `dropout`: rate in front of the maps that have it.
  [[nodiscard]] Value logits(Graph& graph, EncoderModel& model, Value hidden, double dropout = 0) const;
  /// The head's own tensors by their names in graphs if they are trained; writing to them trains the head.
  [[nodiscard]] std::vector<std::pair<std::string, Tensor>> trainables() const;
  /// The head's own tensors by their names without `names`, which are those of transformers.
  [[nodiscard]] const HeadTensors& tensors() const noexcept { return own_; }

 private:
  Head(HeadKind kind, std::string names, bool trained, Pooler pooler)
      : kind_(kind), pooler_(pooler), names_(std::move(names)), trained_(trained) {}
  [[nodiscard]] Value parameter(Graph& graph, EncoderModel& model, const HeadLayer& layer, std::string_view part, const Dims& dims) const;

  HeadKind kind_;
  Pooler pooler_;
  bool by_likelihood_ = false;
  std::int64_t classes_ = 0;
  std::vector<std::int32_t> words_;
  std::vector<HeadLayer> layers_;
  HeadTensors own_;
  std::string names_;
  bool trained_;
};

}  // namespace preamble
