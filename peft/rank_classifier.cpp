#include "peft/rank_classifier.h"

#include <algorithm>
#include <utility>

#include "engine/core/error.h"
#include "engine/distributed/shared_out.h"
#include "engine/runtime/compile.h"

namespace preamble {
namespace {

constexpr std::int64_t kLargestBatch = 128;

std::int64_t target_rows(const std::vector<std::vector<std::int32_t>>& targets) {
  std::int64_t rows = 0;
  for (const auto& target : targets) rows += static_cast<std::int64_t>(target.size());
  return rows;
}

std::unique_ptr<LossModel> loss_of(LanguageModel& model, const std::vector<std::vector<std::int32_t>>& targets, std::int64_t sequences,
                                   std::int64_t source_rows) {
  require<ConfigError>(!targets.empty(), "classification: no classes were given; wanted one at least");
  const auto classes = static_cast<std::int64_t>(targets.size());
  const std::int64_t rows = sequences * target_rows(targets);
  if (auto* encoder_decoder = dynamic_cast<EncoderDecoder*>(&model)) {
    return loss_model(*encoder_decoder, {sequences, source_rows, rows, sequences * classes});
  }
  if (auto* blanks = dynamic_cast<BlankModel*>(&model)) return loss_model(*blanks, {sequences * classes, classes * source_rows + rows});
  auto* causal = dynamic_cast<CausalLm*>(&model);
  require<UnsupportedError>(causal != nullptr, "classification by label words: this model has no language model loss");
  return loss_model(*causal, {sequences * classes, classes * source_rows + rows});
}

std::shared_ptr<const Program> compile_scores(const LossModel& loss, const Method& method, Conditioning& conditioning) {
  Graph graph = loss.model().parameters().graph();
  conditioning = method.condition(graph);
  loss.build(graph, conditioning, 0);
  return compile(std::move(graph));
}

}  // namespace

std::int32_t ClassScores::best() const {
  return static_cast<std::int32_t>(std::ranges::max_element(log_likelihoods) - log_likelihoods.begin());
}

RankClassifier::RankClassifier(LanguageModel& model, const Method& method, std::vector<std::vector<std::int32_t>> targets,
                               std::int64_t longest_source, std::int64_t batch_rows)
    : model_(model),
      targets_(std::move(targets)),
      source_rows_(std::max(longest_source, batch_rows)),
      sequences_(kLargestBatch),
      loss_(loss_of(model, targets_, sequences_, source_rows_)),
      session_(compile_scores(*loss_, method, conditioning_)) {}

std::vector<std::size_t> RankClassifier::batch_ends(std::span<const Example> examples) const {
  std::vector<std::size_t> ends;
  std::size_t begin = 0;
  while (begin < examples.size()) {
    std::size_t end = begin;
    std::int64_t rows = 0;
    while (end < examples.size() && static_cast<std::int64_t>(end - begin) < sequences_) {
      rows += static_cast<std::int64_t>(examples[end].source.size());
      if (rows > source_rows_ && end > begin) break;
      ++end;
    }
    ends.push_back(end);
    begin = end;
  }
  return ends;
}

std::vector<ClassScores> RankClassifier::classify(std::span<const Example> examples, std::int32_t slot,
                                                  const std::function<void(std::int64_t)>& progress) {
  const auto ends = batch_ends(examples);
  const auto compute = [&](std::size_t first, std::size_t last) {
    std::vector<std::vector<double>> scores;
    for (std::size_t batch = first; batch < last; ++batch) {
      const std::size_t begin = batch == 0 ? 0 : ends[batch - 1];
      run(examples.subspan(begin, ends[batch] - begin), slot, scores);
      world().still_here();
      if (progress) progress(static_cast<std::int64_t>(ends[batch]));
    }
    return scores;
  };
  std::vector<ClassScores> scores;
  for (auto& numbers : shared_out(world(), ends.size(), examples.size(), "scores of classes", compute)) scores.push_back({std::move(numbers)});
  return scores;
}

void RankClassifier::calibrate(const Example& empty, std::int32_t slots) {
  prior_.clear();
  std::vector<Example> inputs(static_cast<std::size_t>(slots), empty);
  for (std::int32_t slot = 0; slot < slots; ++slot) inputs[static_cast<std::size_t>(slot)].slot = slot;
  prior_ = classify(inputs);
}

LossBatch RankClassifier::batch_of(std::span<const Example> examples, std::int32_t slot) const {
  if (auto* model = dynamic_cast<EncoderDecoder*>(&model_)) {
    Seq2SeqBatch batch;
    for (std::size_t i = 0; i < examples.size(); ++i) {
      batch.sources.push_back(examples[i].source);
      batch.slots.push_back(slot < 0 ? examples[i].slot : slot);
      for (const auto& target : targets_) {
        batch.labels.push_back(target);
        batch.decoder_inputs.push_back(shifted_right(target, model->decoder_start_id(), model->pad_id()));
        batch.target_sources.push_back(static_cast<std::int32_t>(i));
      }
    }
    return batch;
  }
  std::vector<Example> candidates;
  for (const auto& example : examples) {
    for (const auto& target : targets_) {
      candidates.push_back({.source = example.source, .target = target, .slot = slot < 0 ? example.slot : slot});
    }
  }
  std::vector<const Example*> batch;
  for (const auto& candidate : candidates) batch.push_back(&candidate);
  return loss_->batch_of(batch);
}

void RankClassifier::run(std::span<const Example> examples, std::int32_t slot, std::vector<std::vector<double>>& scores) {
  loss_->inputs(batch_of(examples, slot), conditioning_).feed(session_);
  session_.run();
  const auto nll = session_.result<float>(LossModel::kNll);
  std::size_t row = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    std::vector<double>& result = scores.emplace_back();
    for (const auto& target : targets_) {
      double sum = 0;
      for (std::size_t t = 0; t < target.size(); ++t) sum -= static_cast<double>(nll[row++]);
      result.push_back(sum);
    }
    if (prior_.empty()) continue;
    const auto& prior = prior_.at(static_cast<std::size_t>(slot < 0 ? examples[i].slot : slot)).log_likelihoods;
    for (std::size_t c = 0; c < prior.size(); ++c) result[c] -= prior[c];
  }
}

}  // namespace preamble
