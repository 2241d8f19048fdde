#include <algorithm>
#include <utility>

#include "engine/core/error.h"
#include "tools/run_blanks.h"
#include "tools/run_family.h"

namespace preamble {
namespace {

/// Rows of all heads' results, sequence by sequence; `tokens`: a row for each token, else one for each sequence.
Tensor joined(const HeadedEncoder& model, const Session& session, const EncoderBatch& batch, bool tokens) {
  const std::int64_t width = model.heads.front().classes();
  std::vector<Tensor> parts;
  std::vector<std::size_t> at(model.heads.size(), 0);
  for (std::size_t i = 0; i < model.heads.size(); ++i) {
    require<ConfigError>(model.heads[i].classes() == width, "run: heads of {} and {} classes were given; wanted one number", width, model.heads[i].classes());
    parts.push_back(session.result_tensor(headed::name(i, headed::kLogits)));
  }
  Tensor rows(Dtype::f32, {tokens ? batch.tokens() : static_cast<std::int64_t>(batch.sequences.size()), width});
  auto to = rows.values<float>().begin();
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const std::size_t head = batch.heads.empty() ? 0 : static_cast<std::size_t>(batch.heads[i]);
    const std::size_t count = (tokens ? batch.sequences[i].size() : 1) * static_cast<std::size_t>(width);
    const auto from = std::as_const(parts[head]).values<float>();
    to = std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at[head]), count, to);
    at[head] += count;
  }
  return rows;
}

/// Column of [B, S, 2] as [B, S].
Tensor column(const Tensor& pairs, std::size_t which) {
  Tensor result(Dtype::f32, {pairs.dim(0), pairs.dim(1)});
  const auto from = pairs.values<float>();
  auto to = result.values<float>();
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[2 * i + which];
  return result;
}

void read_labels(const Head& head, const RunInputs& inputs, EncoderBatch& batch) {
  if (head.kind() == HeadKind::span) {
    if (!inputs.has("start_positions")) return;
    const Ids starts = inputs.vector("start_positions");
    const Ids ends = inputs.vector("end_positions");
    require<FileError>(starts.size() == ends.size(), "'end_positions': {} were given for {} of 'start_positions'", ends.size(), starts.size());
    for (std::size_t i = 0; i < starts.size(); ++i) batch.spans.push_back({starts[i], ends[i]});
    return;
  }
  if (!inputs.has("labels")) return;
  require<UnsupportedError>(head.kind() != HeadKind::choice, "'labels': MULTIPLE_CHOICE has scores alone here; wanted no labels");
  if (head.is_regression()) {
    batch.values = inputs.reals("labels");
  } else if (head.kind() == HeadKind::sequence) {
    batch.classes = inputs.vector("labels");
  } else {
    batch.token_labels = inputs.unpadded("labels", "attention_mask");
  }
}

/// First sequences of the examples, whose choices belong together, and one behind the last.
std::vector<std::size_t> example_begins(const EncoderBatch& batch) {
  std::vector<std::size_t> begins;
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    if (i == 0 || batch.groups.empty() || batch.groups[i] != batch.groups[i - 1]) begins.push_back(i);
  }
  begins.push_back(batch.sequences.size());
  return begins;
}

}  // namespace

EncoderBatch read_batch(const HeadedEncoder& model, const RunInputs& inputs) {
  if (model.model.blanks() != nullptr) return read_blanks(model, inputs);
  EncoderBatch batch;
  batch.sequences = inputs.unpadded("input_ids", "attention_mask");
  if (inputs.has("token_type_ids")) batch.token_types = inputs.unpadded("token_type_ids", "attention_mask");
  if (inputs.has("slots")) batch.slots = inputs.vector("slots");
  if (model.heads.size() > 1) batch.heads = batch.slots;
  if (!model.heads.empty()) read_labels(model.heads.front(), inputs, batch);
  return batch;
}

bool has_labels(const EncoderBatch& batch) {
  if (!batch.groups.empty()) return !batch.classes.empty();
  return !batch.classes.empty() || !batch.values.empty() || !batch.token_labels.empty() || !batch.spans.empty();
}

std::size_t sequences_of(const EncoderBatch& batch) { return example_begins(batch).size() - 1; }

EncoderBatch part_of(const EncoderBatch& batch, std::size_t first, std::size_t last) {
  const auto begins = example_begins(batch);
  const std::size_t begin = begins.at(first);
  const std::size_t end = begins.at(last);
  return {cut(batch.sequences, begin, end), cut(batch.token_types, begin, end),     cut(batch.slots, begin, end),
          cut(batch.heads, begin, end),     cut(batch.groups, begin, end),          cut(batch.classes, begin, end),
          cut(batch.values, begin, end),    cut(batch.token_labels, begin, end),    cut(batch.spans, begin, end),
          cut(batch.positions, begin, end), cut(batch.block_positions, begin, end), cut(batch.contexts, begin, end)};
}

EncoderCapacity larger_of(const EncoderCapacity& a, const EncoderCapacity& b) {
  return {std::max(a.sequences, b.sequences), std::max(a.tokens, b.tokens)};
}

void add_results(const HeadedEncoder& model, Graph& graph, const Conditioning& conditioning, const EncoderBatch& batch) {
  if (model.heads.empty()) {
    add_features(model.model, graph, conditioning, batch.capacity());
  } else {
    add_logits(model, graph, conditioning, batch.capacity(), has_labels(batch));
  }
}

void write_results(const HeadedEncoder& model, const Session& session, const EncoderBatch& batch, const RunInputs& inputs, Named& results) {
  if (!model.heads.empty() && model.heads.front().by_likelihood()) {
    results.emplace_back("logits", choice_scores(session, inputs));
    return;
  }
  const std::size_t length = inputs.matrix("input_ids").at(0).size();
  if (model.heads.empty()) {
    results.emplace_back("last_hidden_state", padded(session.result_tensor(headed::kHidden), batch.sequences, length));
    return;
  }
  const HeadKind kind = model.heads.front().kind();
  const Tensor rows = joined(model, session, batch, !reads_first_row(kind));
  if (reads_first_row(kind)) {
    results.emplace_back("logits", rows);
  } else if (kind == HeadKind::span) {
    const Tensor pairs = padded(rows, batch.sequences, length);
    results.emplace_back("start_logits", column(pairs, 0));
    results.emplace_back("end_logits", column(pairs, 1));
  } else {
    results.emplace_back("logits", padded(rows, batch.sequences, length));
  }
}

void run_generate(const HeadedEncoder& encoder, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  if (auto* model = dynamic_cast<BlankModel*>(&encoder.model)) return generate_blanks(*model, method, args, inputs, results);
  raise<UnsupportedError>("--generate: an encoder was given; wanted a model that generates");
}

}  // namespace preamble
