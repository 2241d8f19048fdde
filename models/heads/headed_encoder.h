// An encoder with one or several heads on it: what training, evaluation and `run` compute.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/encoder_batch.h"
#include "models/heads/head.h"

namespace preamble {

/// Which row a sequence's head reads.
enum class Pooling : std::uint8_t {
  first_token,  ///< [CLS], wherever the prompt ends
  first_row,    ///< the first virtual token, if there is a prompt: PEFT's PROMPT_TUNING and P_TUNING
};

/// Results and inputs of encoder graphs with heads.
namespace headed {
inline constexpr std::string_view kLoss = "loss";               ///< result: scalar
inline constexpr std::string_view kHidden = "hidden";           ///< result: [tokens, D], of `add_features`
inline constexpr std::string_view kLossWeight = "loss_weight";  ///< scalar: 1 / labels for the mean

// Of each head, as `name(0, kLogits)`: "head.0.logits". A head's rows have as many segments as the batch has sequences; those of
// other heads' sequences are empty.
inline constexpr std::string_view kRows = "rows";                 ///< subset of the encoder's rows with logits: one a sequence, or all tokens
inline constexpr std::string_view kLabelled = "labelled";         ///< subset of the encoder's rows: those of them that have a label
inline constexpr std::string_view kChoices = "choices";           ///< rows: the labelled ones of a choice, an example a segment
inline constexpr std::string_view kLabels = "labels";             ///< i32 [labelled]; span: i32 [sequences, 2]; choice: [.., 1]
inline constexpr std::string_view kValues = "values";             ///< real [labelled, 1]: regression
inline constexpr std::string_view kLogits = "logits";             ///< result: [head's rows, classes]
inline constexpr std::string_view kLabelLogits = "label_logits";  ///< result: [labelled, classes], of `add_label_logits`

/// Name of that of a head.
[[nodiscard]] std::string name(std::size_t head, std::string_view what);
}  // namespace headed

/// What a batch for an encoder with heads is checked against.
struct HeadedLimits {
  struct Shape {
    HeadKind kind = HeadKind::sequence;
    std::int64_t classes = 0;
    std::vector<std::int32_t> words = {};  ///< of a restricted masked-LM head: the ids that its classes stand for
  };
  EncoderLimits encoder;
  Pooling pooling = Pooling::first_token;
  std::vector<Shape> heads;
};

struct HeadedEncoder {
  EncoderModel& model;
  std::vector<Head> heads;  ///< none: features alone
  Pooling pooling = Pooling::first_token;
  bool token_types = true;  ///< false: every token is of type 0 (PEFT's QUESTION_ANS drops the types)

  [[nodiscard]] HeadedLimits limits() const;
  [[nodiscard]] const Parameters& parameters() const { return model.parameters(); }
};

/// Adds the losses of the labelled rows to a graph: result `loss`, the sum over all heads and labels times `loss_weight`. Classes:
/// cross-entropy; a number: squared error; a span: mean of the cross-entropies of start and end, each among the sequence's own
/// tokens; a choice: cross-entropy of the scores of an example's sequences (transformers' multiple choice).
void add_loss(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity,
              double z_loss = 0);
/// Adds the results `head.I.logits`; with `loss` that of `add_loss` too.
void add_logits(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity, bool loss);
/// Adds the results `head.I.label_logits`: the logits of the rows that have a label, which is all that a prediction needs.
void add_label_logits(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity);
/// Adds the encoder's output at the tokens: result `hidden`.
void add_features(EncoderModel& model, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity);

/// Labels of the batch that its heads read; an example with choices has one.
[[nodiscard]] std::int64_t label_count(const EncoderBatch& batch, const HeadedLimits& limits);

/// Sets all inputs of a loss, logits or features program. `loss_weight` multiplies the sum of the labels' losses. Throws as `feed_rows`,
/// and ConfigError for a head, class or choice that does not exist, a span outside of its sequence, a labelled example of one choice.
void feed(Session& session, const EncoderBatch& batch, const Conditioning& conditioning, const HeadedLimits& limits, double loss_weight);

}  // namespace preamble
