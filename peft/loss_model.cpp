#include "peft/loss_model.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "engine/core/error.h"

namespace preamble {
namespace {

using Examples = std::span<const Example* const>;

// What differs between families of models.

LanguageModel& language_model(EncoderDecoder& model) { return model; }
LanguageModel& language_model(CausalLm& model) { return model; }
LanguageModel& language_model(const HeadedEncoder& model) { return model.model; }

const std::vector<std::int32_t>& task_list(const Seq2SeqBatch& batch) { return batch.tasks; }
const std::vector<std::int32_t>& task_list(const CausalBatch& batch) { return batch.tasks; }
const std::vector<std::int32_t>& task_list(const EncoderBatch& batch) { return batch.heads; }

std::size_t sequences_of(const Seq2SeqBatch& batch) { return batch.labels.size(); }
std::size_t sequences_of(const CausalBatch& batch) { return batch.sequences.size(); }
std::size_t sequences_of(const EncoderBatch& batch) { return batch.sequences.size(); }

Seq2SeqBatch made_of(const EncoderDecoder& model, Examples examples) {
  Seq2SeqBatch batch;
  for (const auto* example : examples) {
    batch.sources.push_back(example->source);
    batch.slots.push_back(example->slot);
    batch.tasks.push_back(example->head);
    batch.labels.push_back(example->target);
    batch.decoder_inputs.push_back(shifted_right(example->target, model.decoder_start_id(), model.pad_id()));
  }
  return batch;
}

CausalBatch made_of(const CausalLm&, Examples examples) {
  CausalBatch batch;
  for (const auto* example : examples) {
    Ids& sequence = batch.sequences.emplace_back(example->source);
    sequence.insert(sequence.end(), example->target.begin(), example->target.end());
    Ids& labels = batch.labels.emplace_back(example->source.size(), kNoLabel);
    labels.insert(labels.end(), example->target.begin(), example->target.end());
    batch.slots.push_back(example->slot);
    batch.tasks.push_back(example->head);
  }
  return batch;
}

EncoderBatch made_of(const HeadedEncoder& encoder, Examples examples) {
  const bool targets = encoder.model.blanks() != nullptr && !examples.empty() && !examples.front()->target.empty();
  return targets ? filled_batch_of(examples, encoder.model.blanks()->required("training")) : encoder_batch_of(examples);
}

/// The language model of a model that fills blanks.
HeadedEncoder language_model_of(BlankModel& model) { return {model, {Head(model, HeadKind::masked_lm, {}, "")}, model.pooling()}; }

std::vector<Trainable> trainables_of(const LanguageModel&) { return {}; }
std::vector<Trainable> trainables_of(const HeadedEncoder& encoder) {
  std::vector<Trainable> result;
  for (const auto& head : encoder.heads) {
    for (auto& [name, tensor] : head.trainables()) result.push_back({name, tensor});
  }
  return result;
}

/// `Model`: EncoderDecoder&, CausalLm& or HeadedEncoder.
template <class Model, class Batch, class Capacity>
class LossOf final : public LossModel {
 public:
  LossOf(Model model, const Capacity& capacity) : model_(static_cast<Model&&>(model)), capacity_(capacity) {}

  [[nodiscard]] LanguageModel& model() const noexcept override { return language_model(model_); }
  [[nodiscard]] std::vector<Trainable> trainables() const override { return trainables_of(model_); }
  void build(Graph& graph, const Conditioning& conditioning, double z_loss, bool weighs) const override {
    add_loss(model_, graph, conditioning, capacity_, z_loss, weighs);
  }
  [[nodiscard]] BatchInputs inputs(const LossBatch& batch, const Conditioning& conditioning) const override {
    return inputs_of(std::get<Batch>(batch), conditioning, model_.limits());
  }
  [[nodiscard]] LossBatch batch_of(Examples examples) const override { return made_of(model_, examples); }

 private:
  Model model_;
  Capacity capacity_;
};

/// What each example takes of one row space, and the most that a batch may take of it.
struct Taken {
  std::vector<std::int64_t> rows = {};
  std::vector<std::int64_t> extra = {};  ///< of prompts, on top of these
  std::int64_t limit = 0;                ///< 0: none

  void add(std::int64_t own, std::int64_t of_prompts) {
    rows.push_back(own);
    extra.push_back(of_prompts);
  }

  /// Most examples that one batch can have: as many of the shortest as the limit allows.
  [[nodiscard]] std::int64_t most_examples() const {
    if (limit == 0) return std::ssize(rows);
    std::vector<std::int64_t> lengths(rows.size());
    std::ranges::transform(rows, extra, lengths.begin(), std::plus<>());
    std::ranges::sort(lengths);
    std::int64_t count = 0;
    for (std::int64_t sum = 0; count < std::ssize(lengths) && (sum += lengths[static_cast<std::size_t>(count)]) <= limit;) ++count;
    return std::max<std::int64_t>(1, count);
  }

  /// Most rows, prompts left out, of `count` examples of a batch: what they leave of the limit, or the sum of the longest.
  [[nodiscard]] std::int64_t most_rows(std::int64_t count) const {
    std::vector<std::int64_t> lengths = rows;
    std::ranges::sort(lengths, std::greater<>());
    const std::int64_t sum = std::accumulate(lengths.begin(), lengths.begin() + count, std::int64_t{0});
    const std::int64_t room = std::max(limit - *std::ranges::min_element(extra), lengths.front());
    return std::max<std::int64_t>(1, limit > 0 ? std::min(sum, room) : sum);
  }

  /// Most rows with prompts, where these count: a limit, or 0.
  [[nodiscard]] std::int64_t most_with_prompts() const {
    if (limit == 0 || *std::ranges::max_element(extra) == 0) return 0;
    std::int64_t longest = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) longest = std::max(longest, rows[i] + extra[i]);
    return std::max(limit, longest);
  }
};

/// The most that a part of a batch can need. `joint`: source and target of an example are one sequence, which the source's rules are for.
struct LargestPart {
  std::int64_t sequences, source_rows, target_rows, rows_with_prompts;

  LargestPart(std::span<const Example> examples, const BatchRules& rules, std::int64_t parts, bool joint) {
    require<ConfigError>(!examples.empty() && parts > 0, "training: {} examples in {} parts were given; wanted positive numbers",
                         examples.size(), parts);
    Taken sources{.limit = rules.source_rows}, targets{.limit = rules.target_rows}, all;
    for (const auto& example : examples) {
      const std::int64_t target = std::ssize(example.target);
      sources.add(std::ssize(example.source) + (joint ? target : 0), example.sequences() * rules.source_extra);
      targets.add(joint ? 0 : target, rules.target_extra);
      all.add(example.sequences(), 0);
    }
    std::int64_t whole = std::min(sources.most_examples(), targets.most_examples());
    if (rules.sequences > 0) whole = std::min(whole, rules.sequences);
    const std::int64_t part = (whole + parts - 1) / parts;
    sequences = all.most_rows(part);
    source_rows = sources.most_rows(part);
    target_rows = targets.most_rows(part);
    rows_with_prompts = sources.most_with_prompts();
    if (rules.task_rates.empty()) return;
    // a mixture may repeat an example in a batch
    source_rows = part * *std::ranges::max_element(sources.rows);
    target_rows = std::max<std::int64_t>(1, part * *std::ranges::max_element(targets.rows));
  }
};

/// `count` numbers of a list from `begin` on, or of `missing` if it is empty.
Ids part_of(const Ids& list, std::int32_t begin, std::int32_t count, std::int32_t missing) {
  if (list.empty()) return Ids(static_cast<std::size_t>(count), missing);
  const auto first = list.begin() + begin;
  return {first, first + count};
}

}  // namespace

std::vector<std::int32_t> tasks_of(const LossBatch& batch) {
  return std::visit(
      [](const auto& given) {
        auto tasks = task_list(given);
        if (tasks.empty()) tasks.resize(sequences_of(given));
        return tasks;
      },
      batch);
}

EncoderBatch encoder_batch_of(std::span<const Example* const> examples) {
  EncoderBatch batch;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const Example& example = *examples[i];
    const bool answered = example.begin >= 0 && example.end >= 0;
    require<ShapeError>(
        example.choices.empty() || std::accumulate(example.choices.begin(), example.choices.end(), std::size_t{0}) == example.source.size(),
        "example {}: choices of [{}] tokens; the source has {}", i, fmt::join(example.choices, ", "), example.source.size());
    const Ids lengths = example.choices.empty() ? Ids{static_cast<std::int32_t>(example.source.size())} : example.choices;
    std::int32_t begin = 0;
    for (const auto tokens : lengths) {
      const bool first = begin == 0;
      batch.sequences.push_back(part_of(example.source, begin, tokens, 0));
      batch.token_types.push_back(part_of(example.types, begin, tokens, 0));
      batch.slots.push_back(example.slot);
      batch.heads.push_back(example.head);
      batch.groups.push_back(static_cast<std::int32_t>(i));
      batch.classes.push_back(first && example.label >= 0 ? example.label : kNoLabel);
      batch.values.push_back(static_cast<float>(example.value));
      batch.token_labels.push_back(part_of(example.tags, begin, tokens, kNoLabel));
      batch.spans.push_back(answered ? TokenSpan{example.begin, example.end} : TokenSpan{});
      begin += tokens;
    }
  }
  return batch;
}

EncoderBatch filled_batch_of(std::span<const Example* const> examples, const BlankTokens& tokens) {
  EncoderBatch batch;
  for (const auto* example : examples) {
    Ids sequence = opened(example->source, tokens);
    Ids labels(example->source.size(), kNoLabel);
    if (!example->target.empty()) sequence.insert(sequence.end(), example->target.begin(), example->target.end() - 1);
    labels.insert(labels.end(), example->target.begin(), example->target.end());
    labels.resize(sequence.size(), kNoLabel);
    batch.sequences.push_back(std::move(sequence));
    batch.token_labels.push_back(std::move(labels));
    batch.slots.push_back(example->slot);
  }
  return batch;
}

std::unique_ptr<LossModel> loss_model(BlankModel& model, const EncoderCapacity& capacity) { return loss_model(language_model_of(model), capacity); }

std::unique_ptr<LossModel> loss_model(EncoderDecoder& model, const Seq2SeqCapacity& capacity) {
  return std::make_unique<LossOf<EncoderDecoder&, Seq2SeqBatch, Seq2SeqCapacity>>(model, capacity);
}

std::unique_ptr<LossModel> loss_model(CausalLm& model, const CausalCapacity& capacity) {
  return std::make_unique<LossOf<CausalLm&, CausalBatch, CausalCapacity>>(model, capacity);
}

std::unique_ptr<LossModel> loss_model(HeadedEncoder model, const EncoderCapacity& capacity) {
  return std::make_unique<LossOf<HeadedEncoder, EncoderBatch, EncoderCapacity>>(std::move(model), capacity);
}

std::unique_ptr<LossModel> slots_loss_model_for(LanguageModel& model, std::span<const Example> examples, const BatchRules& rules,
                                                std::int64_t slots) {
  auto* causal = dynamic_cast<CausalLm*>(&model);
  const LargestPart part(examples, rules, 1, causal != nullptr);
  if (causal != nullptr) return loss_model(*causal, {slots * part.sequences, slots * part.source_rows});
  auto* encoder_decoder = dynamic_cast<EncoderDecoder*>(&model);
  require<UnsupportedError>(encoder_decoder != nullptr, "training: this model has no language model loss");
  return loss_model(*encoder_decoder, {slots * part.sequences, slots * part.source_rows, slots * part.target_rows});
}

std::unique_ptr<LossModel> loss_model_for(LanguageModel& model, std::span<const Example> examples, const BatchRules& rules,
                                          std::int64_t parts) {
  auto* causal = dynamic_cast<CausalLm*>(&model);
  auto* blanks = dynamic_cast<BlankModel*>(&model);
  const LargestPart part(examples, rules, parts, causal != nullptr || blanks != nullptr);
  // a piece begins with a token that is no target, and its last target is no input
  if (blanks != nullptr) return loss_model(*blanks, {part.sequences, part.source_rows, part.rows_with_prompts});
  if (causal != nullptr) return loss_model(*causal, {part.sequences, part.source_rows, part.rows_with_prompts});
  auto* encoder_decoder = dynamic_cast<EncoderDecoder*>(&model);
  require<UnsupportedError>(encoder_decoder != nullptr, "training: this model has no language model loss");
  return loss_model(*encoder_decoder, {part.sequences, part.source_rows, part.target_rows, 0, part.rows_with_prompts});
}

std::unique_ptr<LossModel> loss_model_for(HeadedEncoder model, std::span<const Example> examples, const BatchRules& rules,
                                          std::int64_t parts) {
  const LargestPart part(examples, rules, parts, false);
  return loss_model(std::move(model), {part.sequences, part.source_rows, part.rows_with_prompts});
}

}  // namespace preamble
