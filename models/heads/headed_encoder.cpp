#include "models/heads/headed_encoder.h"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "engine/ops/cast.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gather_rows.h"
#include "engine/ops/regroup_rows.h"
#include "engine/ops/segment_cross_entropy.h"
#include "models/building.h"

namespace preamble {
namespace {

constexpr std::int64_t kSpanEnds = 2;

std::int64_t most_rows(const Head& head, const EncoderCapacity& capacity) {
  return reads_first_row(head.kind()) ? capacity.sequences : capacity.tokens;
}

/// Whether the labels of such a head say which row of a segment is right.
bool are_rows(HeadKind kind) { return kind == HeadKind::span || kind == HeadKind::choice; }

/// Rows as a head reads them. A head is trained and has few rows, so that it computes in the type of parameters; the vocabulary's does not.
Value head_input(const Head& head, Value rows) {
  return head.kind() == HeadKind::masked_lm ? rows : cast(rows, rows.graph->statistic());
}

/// Logits of the rows that have a label. Segments are sequences; those of a choice its examples.
Value labelled_logits(const HeadedEncoder& encoder, std::size_t i, Graph& graph, Value hidden, const EncoderCapacity& capacity,
                      double dropout = 0) {
  const Head& head = encoder.heads[i];
  const Value index = graph.subset(headed::name(i, headed::kLabelled), hidden.type().rows, most_rows(head, capacity));
  const Value read = head_input(head, gather_rows(hidden, index));
  const Value logits = head.logits(graph, encoder.model, read, dropout);
  if (head.kind() != HeadKind::choice) return logits;
  return regroup_rows(logits, graph.rows(headed::name(i, headed::kChoices), capacity.sequences, capacity.sequences));
}

/// Sum of the losses of one head's labels, weighted.
Value loss_of(const HeadedEncoder& encoder, std::size_t i, Graph& graph, Value hidden, Value weight, const EncoderCapacity& capacity,
              double z_loss, double dropout) {
  const Head& head = encoder.heads[i];
  const Value logits = labelled_logits(encoder, i, graph, hidden, capacity, dropout);
  const RowSpaceId labelled = logits.type().rows;
  const std::string labels = headed::name(i, headed::kLabels);
  if (are_rows(head.kind())) {
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

void add_loss_of(const HeadedEncoder& encoder, Graph& graph, Value hidden, const EncoderCapacity& capacity, double z_loss,
                 double dropout) {
  require<ConfigError>(!encoder.heads.empty(), "loss: an encoder without a head was given; wanted one at least");
  const Scope scope(graph, "head");
  const Value weight = graph.input(headed::kLossWeight, {graph.statistic(), kNoRows, {}});
  Value sum;
  for (std::size_t i = 0; i < encoder.heads.size(); ++i) {
    const Value loss = loss_of(encoder, i, graph, hidden, weight, capacity, z_loss, dropout);
    sum = sum ? add(sum, loss) : loss;
  }
  graph.output(headed::kLoss, sum);
}

std::size_t head_of(const EncoderBatch& batch, std::size_t sequence, std::size_t heads) {
  if (batch.heads.empty()) return 0;
  require<ShapeError>(sequence < batch.heads.size(), "batch: {} heads were given; sequence {} has none", batch.heads.size(), sequence);
  const std::int32_t head = batch.heads[sequence];
  require<ConfigError>(head >= 0 && static_cast<std::size_t>(head) < heads, "sequence {}: head {} was given; there are {}", sequence, head,
                       heads);
  return static_cast<std::size_t>(head);
}

template <class List>
void require_for_all(const EncoderBatch& batch, const List& list, std::string_view what) {
  require<ShapeError>(list.empty() || list.size() == batch.sequences.size(), "batch: {} of {} sequences were given; wanted {}", what,
                      list.size(), batch.sequences.size());
}

/// The choices of an example, among the sequences of a batch.
struct Group {
  std::size_t first, count;
};

Group group_of(const EncoderBatch& batch, std::size_t sequence) {
  if (batch.groups.empty()) return {sequence, 1};
  std::size_t first = sequence, end = sequence + 1;
  while (first > 0 && batch.groups[first - 1] == batch.groups[sequence]) --first;
  while (end < batch.groups.size() && batch.groups[end] == batch.groups[sequence]) ++end;
  return {first, end - first};
}

/// What the head of one sequence is to predict.
struct SequenceLabels {
  Ids tokens;  ///< labelled ones, counted from the first; of a span all tokens
  Ids labels;  ///< of each of them; of a span start and end
  float value = 0;
};

std::int32_t checked(std::int32_t label, std::int64_t classes, std::size_t sequence, std::string_view what = "classes") {
  require<ConfigError>(label >= 0 && label < classes, "sequence {}: label {} was given; there are {} {}", sequence, label, classes, what);
  return label;
}

/// The class of a token's label: the label itself, or the place of the id among the words of a restricted head.
std::int32_t class_of(std::int32_t label, const HeadedLimits::Shape& head, std::size_t sequence) {
  if (head.words.empty()) return checked(label, head.classes, sequence);
  const auto found = std::ranges::find(head.words, label);
  require<ConfigError>(found != head.words.end(), "sequence {}: label {} was given; wanted one of the words [{}]", sequence, label,
                       fmt::join(head.words, ", "));
  return static_cast<std::int32_t>(found - head.words.begin());
}

SequenceLabels choice_labels(const EncoderBatch& batch, std::size_t i) {
  const Group group = group_of(batch, i);
  SequenceLabels result;
  if (batch.classes.empty() || batch.classes[group.first] == kNoLabel) return result;
  require<ConfigError>(group.count > 1, "sequence {}: an example of one choice was given; wanted two at least", i);
  const std::int32_t right = checked(batch.classes[group.first], static_cast<std::int64_t>(group.count), group.first, "choices");
  result.tokens = {0};
  if (i == group.first) result.labels = {right};
  return result;
}

SequenceLabels span_labels(const EncoderBatch& batch, std::size_t i) {
  const auto length = static_cast<std::int32_t>(batch.sequences[i].size());
  const TokenSpan span = batch.spans.empty() ? TokenSpan{} : batch.spans[i];
  for (const auto end : {span.start, span.end}) {
    require<ConfigError>(end == kNoLabel || (end >= 0 && end < length),
                         "sequence {}: a span from {} to {} was given; the sequence has {} tokens", i, span.start, span.end, length);
  }
  require<ConfigError>((span.start == kNoLabel) == (span.end == kNoLabel),
                       "sequence {}: a span from {} to {} was given; wanted both ends or none", i, span.start, span.end);
  SequenceLabels result;
  if (span.start == kNoLabel) return result;
  for (std::int32_t t = 0; t < length; ++t) result.tokens.push_back(t);
  result.labels = {span.start, span.end};
  return result;
}

SequenceLabels labels_of(const EncoderBatch& batch, std::size_t i, const HeadedLimits::Shape& head) {
  SequenceLabels result;
  switch (head.kind) {
    case HeadKind::sequence:
      if (head.classes == 1) {
        if (batch.values.empty() || std::isnan(batch.values[i])) return result;
        require<ConfigError>(std::isfinite(batch.values[i]), "sequence {}: the value {} was given; wanted a finite one", i,
                             batch.values[i]);
        result.value = batch.values[i];
      } else {
        if (batch.classes.empty() || batch.classes[i] == kNoLabel) return result;
        result.labels = {checked(batch.classes[i], head.classes, i)};
      }
      result.tokens = {0};
      return result;
    case HeadKind::choice: return choice_labels(batch, i);
    case HeadKind::tokens:
    case HeadKind::masked_lm:
      if (batch.token_labels.empty()) return result;
      require<ShapeError>(batch.token_labels[i].size() == batch.sequences[i].size(), "sequence {}: {} labels were given for {} tokens", i,
                          batch.token_labels[i].size(), batch.sequences[i].size());
      for (std::size_t t = 0; t < batch.token_labels[i].size(); ++t) {
        if (batch.token_labels[i][t] == kNoLabel) continue;
        result.tokens.push_back(static_cast<std::int32_t>(t));
        result.labels.push_back(class_of(batch.token_labels[i][t], head, i));
      }
      return result;
    case HeadKind::span: return span_labels(batch, i);
  }
  return result;
}

void check_lists(const EncoderBatch& batch) {
  require_for_all(batch, batch.classes, "classes");
  require_for_all(batch, batch.values, "values");
  require_for_all(batch, batch.token_labels, "token labels");
  require_for_all(batch, batch.spans, "spans");
  require_for_all(batch, batch.groups, "groups");
  for (std::size_t i = 1; i < batch.groups.size() && !batch.heads.empty(); ++i) {
    require<ConfigError>(batch.groups[i] != batch.groups[i - 1] || batch.heads.at(i) == batch.heads.at(i - 1),
                         "sequence {}: a choice of the same example has another head; wanted one", i);
  }
}

/// What one head's inputs hold.
struct HeadInputs {
  Ids rows, labelled;  ///< of the encoder
  Segments choices;
  Ids labels;
  std::vector<float> values;
};

HeadInputs inputs_of(const EncoderBatch& batch, const HeadedLimits& limits, std::size_t head, const Segments& rows) {
  HeadInputs inputs;
  const auto& shape = limits.heads[head];
  const bool pooled = reads_first_row(shape.kind);
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const auto segment = static_cast<std::int32_t>(i);
    const auto length = static_cast<std::int32_t>(batch.sequences[i].size());
    const std::int32_t prompt = pooled && limits.pooling == Pooling::first_row ? 0 : rows.length(segment) - length;
    const std::int32_t first = rows.offset(segment) + prompt;
    const bool own = head_of(batch, i, limits.heads.size()) == head;
    require<ShapeError>(length > 0 || !own, "sequence {}: no tokens were given; wanted one at least", i);
    for (std::int32_t t = 0; t < (!own ? 0 : pooled ? 1 : length); ++t) inputs.rows.push_back(first + t);
    SequenceLabels given = own ? labels_of(batch, i, shape) : SequenceLabels{};
    for (const auto token : given.tokens) inputs.labelled.push_back(first + token);
    if (shape.kind == HeadKind::choice && !given.labels.empty()) inputs.choices.append(static_cast<std::int32_t>(group_of(batch, i).count));
    if (shape.kind == HeadKind::span && given.labels.empty()) given.labels.resize(kSpanEnds, kNoLabel);
    inputs.labels.insert(inputs.labels.end(), given.labels.begin(), given.labels.end());
    if (!given.tokens.empty()) inputs.values.push_back(given.value);
  }
  return inputs;
}

void feed_reals(Session& session, std::string_view name, const std::vector<float>& values) {
  if (!session.program().has_input(name)) return;
  if (session.program().graph().real() == Dtype::f64) {
    session.set<double>(name, std::vector<double>(values.begin(), values.end()));
  } else {
    session.set<float>(name, values);
  }
}

}  // namespace

std::string headed::name(std::size_t head, std::string_view what) { return fmt::format("head.{}.{}", head, what); }

HeadedLimits HeadedEncoder::limits() const {
  HeadedLimits limits{model.encoder_limits(), pooling, {}};
  limits.encoder.uses_token_types = token_types;
  for (const auto& head : heads) limits.heads.push_back({head.kind(), head.classes(), head.words()});
  return limits;
}

void add_loss(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity,
              double z_loss) {
  add_loss_of(encoder, graph, encoder.model.encode(graph, conditioning, capacity), capacity, z_loss, conditioning.dropout.hidden);
}

void add_logits(const HeadedEncoder& encoder, Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity, bool loss) {
  const Value hidden = encoder.model.encode(graph, conditioning, capacity);
  if (loss) add_loss_of(encoder, graph, hidden, capacity, 0, conditioning.dropout.hidden);
  const Scope scope(graph, "head");
  for (std::size_t i = 0; i < encoder.heads.size(); ++i) {
    const Head& head = encoder.heads[i];
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

std::int64_t label_count(const EncoderBatch& batch, const HeadedLimits& limits) {
  check_lists(batch);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const auto& head = limits.heads.at(head_of(batch, i, limits.heads.size()));
    const SequenceLabels labels = labels_of(batch, i, head);
    const auto labelled = static_cast<std::int64_t>(labels.tokens.size());
    count += head.kind == HeadKind::choice ? static_cast<std::int64_t>(labels.labels.size())
             : head.kind == HeadKind::span ? std::min<std::int64_t>(1, labelled)
                                           : labelled;
  }
  return count;
}

void feed(Session& session, const EncoderBatch& batch, const Conditioning& conditioning, const HeadedLimits& limits, double loss_weight) {
  feed_rows(session, batch, conditioning, limits.encoder);
  check_lists(batch);
  const Segments rows = row_segments(batch, conditioning);
  for (std::size_t i = 0; i < limits.heads.size(); ++i) {
    const HeadInputs inputs = inputs_of(batch, limits, i, rows);
    session.select(headed::name(i, headed::kRows), inputs.rows);
    session.select(headed::name(i, headed::kLabelled), inputs.labelled);
    session.rows(headed::name(i, headed::kChoices), inputs.choices);
    const std::string labels = headed::name(i, headed::kLabels);
    if (are_rows(limits.heads[i].kind)) {
      feed_front(session, labels, inputs.labels);
    } else {
      feed_input(session, labels, inputs.labels);
    }
    feed_reals(session, headed::name(i, headed::kValues), inputs.values);
  }
  if (session.program().has_input(headed::kLossWeight)) feed_scalar(session, headed::kLossWeight, loss_weight);
}

}  // namespace preamble
