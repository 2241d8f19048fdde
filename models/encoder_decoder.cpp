#include "models/encoder_decoder.h"

#include "engine/ops/cast.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/gather_rows.h"
#include "models/building.h"

namespace preamble {
namespace {

void add_loss_of(EncoderDecoder& model, Graph& graph, Value hidden, const Seq2SeqCapacity& capacity, double z_loss,
                 bool weighs_labels) {
  const Scope scope(graph, "head");
  const Value index = graph.subset(seq2seq::kLabelled, hidden.type().rows, capacity.target_rows);
  const Value labels = row_input(graph, seq2seq::kLabels, index.type().rows);
  const Value weight = weighs_labels ? graph.input(seq2seq::kLabelWeights, {graph.statistic(), index.type().rows, {}})
                                     : graph.input(seq2seq::kLossWeight, {graph.statistic(), kNoRows, {}});
  const Value logits = model.head(graph, gather_rows(hidden, index));
  const Value loss = cross_entropy(logits, labels, weight, z_loss);
  graph.output(seq2seq::kLoss, loss);
  graph.output(seq2seq::kNll, nll_of(loss));
}

}  // namespace

void add_loss(EncoderDecoder& model, Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, double z_loss,
              bool weighs_labels) {
  const Value encoded = model.encode(graph, conditioning, capacity);
  add_loss_of(model, graph, model.decode(graph, encoded, conditioning, capacity), capacity, z_loss, weighs_labels);
}

void add_logits(EncoderDecoder& model, Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, bool loss) {
  const Value encoded = model.encode(graph, conditioning, capacity);
  const Value hidden = model.decode(graph, encoded, conditioning, capacity);
  if (loss) add_loss_of(model, graph, hidden, capacity, 0, false);
  const Scope scope(graph, "head");
  graph.output(seq2seq::kLogits, cast(model.head(graph, hidden), graph.statistic()));
}

}  // namespace preamble
