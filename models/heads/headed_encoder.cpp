#include "models/heads/headed_encoder.h"

#include "engine/core/error.h"
#include "engine/ops/cast.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/regroup_rows.h"
#include "engine/ops/segment_cross_entropy.h"
#include "engine/ops/segment_likelihood.h"
#include "models/building.h"

namespace preamble {
namespace {

std::int64_t most_rows(const Head& head, const EncoderCapacity& capacity) {
  return head.reads_one_row() ? capacity.sequences : capacity.tokens;
}

/// Rows as a head reads them. A head is trained and has few rows, so that it computes in the type of parameters; the vocabulary's does not.
Value head_input(const Head& head, Value rows) {
  return head.is_language_model() ? rows : cast(rows, rows.graph->statistic());
}

/// Logits of the rows that have a label. Segments are sequences; those of a choice its examples.
Value labelled_logits(const HeadedEncoder& encoder, std::size_t i, Graph& graph, Value hidden, const EncoderCapacity& capacity,
                      double dropout = 0) {
  const Head& head = encoder.heads[i];
  const Value index = graph.subset(headed::name(i, headed::kLabelled), hidden.type().rows, most_rows(head, capacity));
  const Value read = head_input(head, gather_rows(hidden, index));
  const Value logits = head.logits(graph, encoder.model, read, dropout);
  if (head.kind() != HeadKind::choice) return logits;
  const RowSpaceId choices = graph.rows(headed::name(i, headed::kChoices), capacity.sequences, capacity.sequences);
  if (!head.by_likelihood()) return regroup_rows(logits, choices);
  const Value targets = row_input(graph, headed::name(i, headed::kTargets), index.type().rows);
  return segment_likelihood(cast(logits, graph.statistic()), targets, choices);
}

/// Sum of the losses of one head's labels, weighted.
Value loss_of(const HeadedEncoder& encoder, std::size_t i, Graph& graph, Value hidden, Value weight, const EncoderCapacity& capacity,
              double z_loss, double dropout) {
  const Head& head = encoder.heads[i];
  const Value logits = labelled_logits(encoder, i, graph, hidden, capacity, dropout);
  const RowSpaceId labelled = logits.type().rows;
  const std::string labels = headed::name(i, headed::kLabels);
  if (labels_are_rows(head.kind())) {
    const std::int64_t columns = head.classes();
    const Value rows = input(graph, labels, {Dtype::i32, kNoRows, {capacity.sequences, columns}});
    return scale(segment_cross_entropy(logits, rows, weight), 1.0 / static_cast<double>(columns));
  }
  if (head.is_regression()) {
    const Value values = input(graph, headed::name(i, headed::kValues), {graph.statistic(), labelled, {1}});
    const Value error = add(logits, scale(values, -1));
    return scale_by(dot(error, error), weight);
  }
  return cross_entropy(logits, row_input(graph, labels, labelled), weight, z_loss);
}

void add_loss_of(const HeadedEncoder& encoder, Graph& graph, Value hidden, const EncoderCapacity& capacity, double z_loss, double dropout,
                 bool weighs_heads) {
  require<ConfigError>(!encoder.heads.empty(), "loss: an encoder without a head was given; wanted one at least");
  const Scope scope(graph, "head");
  const Type scalar = {graph.statistic(), kNoRows, {}};
  const Value shared = weighs_heads ? Value{} : graph.input(headed::kLossWeight, scalar);
  Value sum;
  for (std::size_t i = 0; i < encoder.heads.size(); ++i) {
    const Value weight = weighs_heads ? graph.input(headed::name(i, headed::kWeight), scalar) : shared;
    const Value loss = loss_of(encoder, i, graph, hidden, weight, capacity, z_loss, dropout);
    sum = sum ? add(sum, loss) : loss;
  }
  graph.output(headed::kLoss, sum);
  if (encoder.heads.size() == 1 && encoder.heads.front().kind() == HeadKind::masked_lm && encoder.model.blanks() != nullptr)
    graph.output(headed::kNll, nll_of(sum));
}

}  // namespace

HeadedLimits HeadedEncoder::limits() const {
  HeadedLimits limits{model.encoder_limits(), pooling, {}};
  limits.encoder.uses_token_types = token_types;
  for (const auto& head : heads) limits.heads.push_back({head.kind(), head.classes(), head.words(), head.by_likelihood()});
  return limits;
}

void add_loss(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity,
              double z_loss, bool weighs_heads) {
  add_loss_of(encoder, graph, encoder.model.encode(graph, conditioning, capacity), capacity, z_loss, conditioning.dropout.hidden,
              weighs_heads);
}

void add_logits(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity, bool loss) {
  const Value hidden = encoder.model.encode(graph, conditioning, capacity);
  if (loss) add_loss_of(encoder, graph, hidden, capacity, 0, conditioning.dropout.hidden, false);
  const Scope scope(graph, "head");
  for (std::size_t i = 0; i < encoder.heads.size(); ++i) {
    const Head& head = encoder.heads[i];
    if (head.by_likelihood()) {
      graph.output(headed::name(i, headed::kLogits), labelled_logits(encoder, i, graph, hidden, capacity));
      continue;
    }
    const Value index = graph.subset(headed::name(i, headed::kRows), hidden.type().rows, most_rows(head, capacity));
    const Value read = head_input(head, gather_rows(hidden, index));
    graph.output(headed::name(i, headed::kLogits), cast(head.logits(graph, encoder.model, read), graph.statistic()));
  }
}

void add_label_logits(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  const Value hidden = encoder.model.encode(graph, conditioning, capacity);
  const Scope scope(graph, "head");
  for (std::size_t i = 0; i < encoder.heads.size(); ++i) {
    const Value logits = labelled_logits(encoder, i, graph, hidden, capacity);
    graph.output(headed::name(i, headed::kLabelLogits), cast(logits, graph.statistic()));
  }
}

void add_features(EncoderModel& model, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) {
  Value hidden = model.encode(graph, conditioning, capacity);
  if (conditioning.prompt) hidden = gather_rows(hidden, graph.subset(encoder::kTokenRows, hidden.type().rows, capacity.tokens));
  graph.output(headed::kHidden, cast(hidden, graph.statistic()));
}

}  // namespace preamble
