#include "models/heads/headed_batch.h"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::int64_t kSpanEnds = 2;

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
  Ids tokens;        ///< labelled ones, counted from the first, of heads that read one row from that row; of a span all tokens
  Ids labels;        ///< of each of them; of a span start and end; of an example's first choice the right one
  Ids targets = {};  ///< of each of them, of a choice that is scored by likelihood
  float value = 0;
};

std::int32_t checked(std::int32_t label, std::int64_t classes, std::size_t sequence, std::string_view what = "classes") {
  require<ConfigError>(label >= 0 && label < classes, "sequence {}: label {} was given; there are {} {}", sequence, label, classes, what);
  return label;
}

/// The class of a token's label: the label itself, or the number of the id among the words of a restricted head.
std::int32_t class_of(std::int32_t label, const HeadedLimits::Shape& head, std::size_t sequence) {
  if (head.words.empty()) return checked(label, head.classes, sequence);
  const auto found = std::ranges::find(head.words, label);
  require<ConfigError>(found != head.words.end(), "sequence {}: label {} was given; wanted one of the words [{}]", sequence, label,
                       fmt::join(head.words, ", "));
  return static_cast<std::int32_t>(found - head.words.begin());
}

/// The labelled tokens of a sequence; `number_of(label)` goes to `numbers`.
template <class NumberOf>
void add_labelled_tokens(const EncoderBatch& batch, std::size_t i, const NumberOf& number_of, Ids& tokens, Ids& numbers) {
  if (batch.token_labels.empty()) return;
  const Ids& labels = batch.token_labels[i];
  require<ShapeError>(labels.size() == batch.sequences[i].size(), "sequence {}: {} labels were given for {} tokens", i, labels.size(),
                      batch.sequences[i].size());
  for (std::size_t t = 0; t < labels.size(); ++t) {
    if (labels[t] == kNoLabel) continue;
    tokens.push_back(static_cast<std::int32_t>(t));
    numbers.push_back(number_of(labels[t]));
  }
}

SequenceLabels choice_labels(const EncoderBatch& batch, std::size_t i, const HeadedLimits& limits, const HeadedLimits::Shape& head) {
  const Group group = group_of(batch, i);
  SequenceLabels result;
  if (head.by_likelihood) {
    const std::int64_t vocabulary = limits.encoder.inputs.vocabulary;
    const auto number_of = [&](std::int32_t label) { return checked(label, vocabulary, i, "tokens"); };
    add_labelled_tokens(batch, i, number_of, result.tokens, result.targets);
  }
  if (batch.classes.empty() || batch.classes[group.first] == kNoLabel) return result;
  require<ConfigError>(group.count > 1, "sequence {}: an example of one choice was given; wanted two at least", i);
  const std::int32_t right = checked(batch.classes[group.first], static_cast<std::int64_t>(group.count), group.first, "choices");
  if (!head.by_likelihood) result.tokens = {0};
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

SequenceLabels labels_of(const EncoderBatch& batch, std::size_t i, const HeadedLimits& limits, const HeadedLimits::Shape& head) {
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
    case HeadKind::choice: return choice_labels(batch, i, limits, head);
    case HeadKind::tokens:
    case HeadKind::masked_lm:
      add_labelled_tokens(
          batch, i, [&](std::int32_t label) { return class_of(label, head, i); }, result.tokens, result.labels);
      return result;
    case HeadKind::span: return span_labels(batch, i);
  }
  return result;
}

/// The labels of every sequence.
std::vector<SequenceLabels> all_labels(const EncoderBatch& batch, const HeadedLimits& limits) {
  std::vector<SequenceLabels> labels;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    labels.push_back(labels_of(batch, i, limits, limits.heads[head_of(batch, i, limits.heads.size())]));
  }
  return labels;
}

/// How many labels the loss of a head sees in those of one sequence: an example with choices has one, and so has a span.
std::int64_t count_of(const SequenceLabels& labels, HeadKind kind) {
  if (kind == HeadKind::choice) return std::ssize(labels.labels);
  const std::int64_t tokens = std::ssize(labels.tokens);
  return kind == HeadKind::span ? std::min<std::int64_t>(1, tokens) : tokens;
}

/// Weight of a head's labels: that of its first sequence.
double weight_of(std::span<const std::size_t> heads, std::size_t head, const LabelWeights& weights) {
  for (std::size_t i = 0; i < weights.of_sequences.size(); ++i) {
    if (heads[i] == head) return weights.of_sequences[i];
  }
  return weights.all;
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
  Ids labels, targets;
  std::vector<float> values;
};

/// The token whose row a head of one row reads, counted from the row at which its pooling starts.
std::int32_t pooled_token(const EncoderBatch& batch, std::size_t i, const HeadedLimits& limits) {
  if (limits.pooling == Pooling::first_token || limits.pooling == Pooling::first_row) return 0;
  if (limits.pooling == Pooling::last_token) return static_cast<std::int32_t>(batch.sequences[i].size()) - 1;
  require<ConfigError>(limits.encoder.blanks.has_value(), "pooling: that of pieces was given to a model without them");
  const std::int32_t context = context_of(batch, i, *limits.encoder.blanks);
  const std::int32_t token = limits.pooling == Pooling::piece_start ? context : context - 1;
  require<ConfigError>(token >= 0 && token < std::ssize(batch.sequences[i]),
                       "sequence {}: the head reads the row of its {}; wanted one among its {} tokens", i,
                       limits.pooling == Pooling::piece_start ? "first piece" : "part A", batch.sequences[i].size());
  return token;
}

HeadInputs inputs_of(const EncoderBatch& batch, const HeadedLimits& limits, std::size_t head, std::span<const SequenceLabels> labels,
                     const Segments& rows) {
  HeadInputs inputs;
  const auto& shape = limits.heads[head];
  const bool pooled = reads_first_row(shape.kind) && !shape.by_likelihood;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const auto segment = static_cast<std::int32_t>(i);
    const auto length = static_cast<std::int32_t>(batch.sequences[i].size());
    const std::int32_t prompt = pooled && limits.pooling == Pooling::first_row ? 0 : rows.length(segment) - length;
    const bool own = head_of(batch, i, limits.heads.size()) == head;
    const std::int32_t first = rows.offset(segment) + prompt + (own && pooled ? pooled_token(batch, i, limits) : 0);
    require<ShapeError>(length > 0 || !own, "sequence {}: no tokens were given; wanted one at least", i);
    for (std::int32_t t = 0; t < (!own ? 0 : pooled ? 1 : length); ++t) inputs.rows.push_back(first + t);
    SequenceLabels given = own ? labels[i] : SequenceLabels{};
    for (const auto token : given.tokens) inputs.labelled.push_back(first + token);
    if (shape.by_likelihood) {
      // every sequence has a score, and every example competes
      const Group group = group_of(batch, i);
      if (i != group.first) given.labels.clear();
      if (i == group.first && given.labels.empty()) given.labels = {kNoLabel};
      if (i == group.first) inputs.choices.append(static_cast<std::int32_t>(group.count));
    } else if (shape.kind == HeadKind::choice && !given.labels.empty()) {
      inputs.choices.append(static_cast<std::int32_t>(group_of(batch, i).count));
    }
    inputs.targets.insert(inputs.targets.end(), given.targets.begin(), given.targets.end());
    if (shape.kind == HeadKind::span && given.labels.empty()) given.labels.resize(kSpanEnds, kNoLabel);
    inputs.labels.insert(inputs.labels.end(), given.labels.begin(), given.labels.end());
    if (!given.tokens.empty()) inputs.values.push_back(given.value);
  }
  return inputs;
}

/// Adds the inputs of head `i`.
void add_head(BatchInputs& inputs, HeadInputs made, HeadKind kind, std::size_t i) {
  inputs.select(headed::name(i, headed::kRows), std::move(made.rows));
  inputs.select(headed::name(i, headed::kLabelled), std::move(made.labelled));
  inputs.rows(headed::name(i, headed::kChoices), std::move(made.choices));
  inputs.input(headed::name(i, headed::kTargets), std::move(made.targets));
  const std::string labels = headed::name(i, headed::kLabels);
  if (labels_are_rows(kind)) {
    inputs.front(labels, std::move(made.labels));
  } else {
    inputs.input(labels, std::move(made.labels));
  }
  inputs.add([name = headed::name(i, headed::kValues), values = std::vector<double>(made.values.begin(), made.values.end())](
                 Session& session, const LabelWeights&) { feed_reals(session, name, values); });
}

}  // namespace

std::string headed::name(std::size_t head, std::string_view what) { return fmt::format("head.{}.{}", head, what); }

BatchInputs inputs_of(const EncoderBatch& batch, const Conditioning& conditioning, const HeadedLimits& limits) {
  BatchInputs inputs;
  const Segments rows = add_rows(inputs, batch, conditioning, limits.encoder);
  inputs.count(rows.rows(), {});
  if (limits.heads.empty()) return inputs;
  check_lists(batch);
  const auto labels = all_labels(batch, limits);
  std::vector<std::int64_t> counts;
  std::vector<std::size_t> heads;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    heads.push_back(head_of(batch, i, limits.heads.size()));
    counts.push_back(count_of(labels[i], limits.heads[heads.back()].kind));
  }
  for (std::size_t i = 0; i < limits.heads.size(); ++i)
    add_head(inputs, inputs_of(batch, limits, i, labels, rows), limits.heads[i].kind, i);
  inputs.add([heads = std::move(heads), count = limits.heads.size()](Session& session, const LabelWeights& weights) {
    for (std::size_t i = 0; i < count; ++i) feed_scalar(session, headed::name(i, headed::kWeight), weight_of(heads, i, weights));
    feed_scalar(session, headed::kLossWeight, weights.all);
  });
  inputs.count(rows.rows(), std::move(counts));
  return inputs;
}

void feed(Session& session, const EncoderBatch& batch, const Conditioning& conditioning, const HeadedLimits& limits, double loss_weight) {
  inputs_of(batch, conditioning, limits).feed(session, {loss_weight});
}

}  // namespace preamble
