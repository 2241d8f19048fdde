// From labelled sequences to the inputs of an encoder with heads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/encoder_batch.h"
#include "models/heads/head.h"

namespace preamble {

/// Results and inputs of encoder graphs with heads.
namespace headed {
inline constexpr std::string_view kLoss = "loss";               ///< result: scalar
inline constexpr std::string_view kNll = "nll";                 ///< result: [labelled], of a masked-LM head alone
inline constexpr std::string_view kHidden = "hidden";           ///< result: [tokens, D], of `add_features`
inline constexpr std::string_view kLossWeight = "loss_weight";  ///< scalar: 1 / labels for the mean

// Of each head, as `name(0, kLogits)`: "head.0.logits". A head's rows have as many segments as the batch has sequences; those of
// other heads' sequences are empty.
inline constexpr std::string_view kRows = "rows";           ///< subset of the encoder's rows with logits: one a sequence, or all tokens
inline constexpr std::string_view kLabelled = "labelled";   ///< subset of the encoder's rows: those of them that have a label
inline constexpr std::string_view kChoices = "choices";     ///< rows: the labelled ones of a choice, an example a segment
inline constexpr std::string_view kLabels = "labels";       ///< i32 [labelled]; span: i32 [sequences, 2]; choice: [.., 1]
inline constexpr std::string_view kTargets = "targets";     ///< i32 [labelled]: tokens of choices that are scored by likelihood
inline constexpr std::string_view kValues = "values";       ///< real [labelled, 1]: regression
inline constexpr std::string_view kWeight = "loss_weight";  ///< scalar: of this head's labels, instead of that of all
inline constexpr std::string_view kLogits = "logits";       ///< result: [head's rows, classes]
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
    bool by_likelihood = false;            ///< of a choice: `Head::by_likelihood`
  };
  EncoderLimits encoder;
  Pooling pooling = Pooling::first_token;
  std::vector<Shape> heads;
};

/// Counts, layouts and inputs of a loss, logits or features program. Labels are those that the heads read; an example with choices has one.
/// Sequences of one head have one weight. Throws as `add_rows`, and ConfigError for a head, class or choice that does not exist, a span
/// outside of its sequence, a labelled example of one choice.
[[nodiscard]] BatchInputs inputs_of(const EncoderBatch& batch, const Conditioning& conditioning, const HeadedLimits& limits);
/// Feeds them to one run. `loss_weight` multiplies the sum of the labels' losses.
void feed(Session& session, const EncoderBatch& batch, const Conditioning& conditioning, const HeadedLimits& limits, double loss_weight);

}  // namespace preamble
