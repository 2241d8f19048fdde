#include "peft/loss_model.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "engine/core/error.h"

namespace preamble {
namespace {

class Seq2SeqLoss final : public LossModel {
 public:
  Seq2SeqLoss(EncoderDecoder& model, const Seq2SeqCapacity& capacity) : model_(model), capacity_(capacity) {}

  [[nodiscard]] LanguageModel& model() const noexcept override { return model_; }
  void build(Graph& graph, const Conditioning& conditioning, double z_loss) const override {
    add_loss(model_, graph, conditioning, capacity_, z_loss);
  }
  void feed(Session& session, const LossBatch& batch, const Conditioning& conditioning, double loss_weight) const override {
    preamble::feed(session, std::get<Seq2SeqBatch>(batch), conditioning, model_.limits(), loss_weight);
  }
  [[nodiscard]] std::int64_t label_count(const LossBatch& batch, const Conditioning&) const override {
    return std::get<Seq2SeqBatch>(batch).label_count();
  }
  [[nodiscard]] std::int64_t rows(const LossBatch& batch, const Conditioning& conditioning) const override {
    const auto& given = std::get<Seq2SeqBatch>(batch);
    return encoder_segments(given, conditioning).rows() + given.target_rows();
  }
  [[nodiscard]] LossBatch batch_of(std::span<const Example* const> examples) const override {
    Seq2SeqBatch batch;
    for (const auto* example : examples) {
      batch.sources.push_back(example->source);
      batch.slots.push_back(example->slot);
      batch.labels.push_back(example->target);
      batch.decoder_inputs.push_back(shifted_right(example->target, model_.decoder_start_id(), model_.pad_id()));
    }
    return batch;
  }

 private:
  EncoderDecoder& model_;
  Seq2SeqCapacity capacity_;
};

class CausalLoss final : public LossModel {
 public:
  CausalLoss(CausalLm& model, const CausalCapacity& capacity) : model_(model), capacity_(capacity) {}

  [[nodiscard]] LanguageModel& model() const noexcept override { return model_; }
  void build(Graph& graph, const Conditioning& conditioning, double z_loss) const override {
    add_loss(model_, graph, conditioning, capacity_, z_loss);
  }
  void feed(Session& session, const LossBatch& batch, const Conditioning& conditioning, double loss_weight) const override {
    preamble::feed(session, std::get<CausalBatch>(batch), conditioning, model_.limits(), loss_weight);
  }
  [[nodiscard]] std::int64_t label_count(const LossBatch& batch, const Conditioning& conditioning) const override {
    return std::get<CausalBatch>(batch).label_count(conditioning);
  }
  [[nodiscard]] std::int64_t rows(const LossBatch& batch, const Conditioning& conditioning) const override {
    return row_segments(std::get<CausalBatch>(batch), conditioning).rows();
  }
  [[nodiscard]] LossBatch batch_of(std::span<const Example* const> examples) const override {
    CausalBatch batch;
    for (const auto* example : examples) {
      Ids& sequence = batch.sequences.emplace_back(example->source);
      sequence.insert(sequence.end(), example->target.begin(), example->target.end());
      Ids& labels = batch.labels.emplace_back(example->source.size(), kNoLabel);
      labels.insert(labels.end(), example->target.begin(), example->target.end());
      batch.slots.push_back(example->slot);
    }
    return batch;
  }

 private:
  CausalLm& model_;
  CausalCapacity capacity_;
};

/// Rows of the longest part: the sum of its `part` longest sequences, or `limit` less `extra` where that is set and smaller.
std::int64_t most_rows(std::vector<std::int64_t> lengths, std::int64_t part, std::int64_t limit, std::int64_t extra) {
  std::ranges::sort(lengths, std::greater<>());
  const std::int64_t sum = std::accumulate(lengths.begin(), lengths.begin() + part, std::int64_t{0});
  return std::max<std::int64_t>(1, limit > 0 ? std::min(sum, std::max(limit - extra, lengths.front())) : sum);
}

}  // namespace

std::unique_ptr<LossModel> loss_model(EncoderDecoder& model, const Seq2SeqCapacity& capacity) {
  return std::make_unique<Seq2SeqLoss>(model, capacity);
}

std::unique_ptr<LossModel> loss_model(CausalLm& model, const CausalCapacity& capacity) { return std::make_unique<CausalLoss>(model, capacity); }

std::unique_ptr<LossModel> loss_model_for(LanguageModel& model, std::span<const Example> examples, const BatchRules& rules, std::int64_t parts) {
  require<ConfigError>(!examples.empty() && parts > 0, "training: {} examples in {} parts were given; wanted positive numbers", examples.size(), parts);
  const auto count = static_cast<std::int64_t>(examples.size());
  const std::int64_t whole = rules.sequences > 0 ? std::min(rules.sequences, count) : count;
  const std::int64_t part = (whole + parts - 1) / parts;
  std::vector<std::int64_t> sources, targets, both;
  for (const auto& example : examples) {
    sources.push_back(static_cast<std::int64_t>(example.source.size()));
    targets.push_back(static_cast<std::int64_t>(example.target.size()));
    both.push_back(sources.back() + targets.back());
  }
  const std::int64_t source_rows = most_rows(sources, part, rules.source_rows, rules.source_extra);
  const std::int64_t target_rows = most_rows(targets, part, rules.target_rows, rules.target_extra);
  if (auto* encoder_decoder = dynamic_cast<EncoderDecoder*>(&model)) return loss_model(*encoder_decoder, {part, source_rows, target_rows, 0});
  auto* causal = dynamic_cast<CausalLm*>(&model);
  require<UnsupportedError>(causal != nullptr, "training: this model has no language model loss");
  return loss_model(*causal, {part, std::min(source_rows + target_rows, most_rows(both, part, 0, 0))});
}

}  // namespace preamble
