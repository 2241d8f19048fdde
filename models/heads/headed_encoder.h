// An encoder with one or several heads on it: what training, evaluation and `run` compute.
#pragma once

#include <cstdint>
#include <vector>

#include "models/heads/head.h"
#include "models/heads/headed_batch.h"

namespace preamble {

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
/// tokens; a choice: cross-entropy of the scores of an example's sequences (transformers' multiple choice). A masked-LM head that stands
/// alone on a model that fills blanks gives the result `nll` too: [labelled] negative log likelihood of each label. With `weighs_heads` the
/// labels of each head have their own weight.
void add_loss(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity,
              double z_loss = 0, bool weighs_heads = false);
/// Adds the results `head.I.logits`; with `loss` that of `add_loss` too.
void add_logits(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity, bool loss);
/// Adds the results `head.I.label_logits`: the logits of the rows that have a label, which is all that a prediction needs.
void add_label_logits(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity);
/// Adds the encoder's output at the tokens: result `hidden`.
void add_features(EncoderModel& model, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity);

}  // namespace preamble
