#include "peft/rank_classifier.h"

#include <algorithm>
#include <utility>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"

namespace preamble {
namespace {

constexpr std::int64_t kLargestBatch = 128;

std::int64_t target_rows(const std::vector<std::vector<std::int32_t>>& targets) {
  std::int64_t rows = 0;
  for (const auto& target : targets) rows += static_cast<std::int64_t>(target.size());
  return rows;
}

std::shared_ptr<const Program> compile_scores(EncoderDecoder& model, const Method& method, const std::vector<std::vector<std::int32_t>>& targets,
                                              std::int64_t sequences, std::int64_t source_rows, Conditioning& conditioning) {
  require<ConfigError>(!targets.empty(), "classification: no classes were given; wanted one at least");
  Graph graph;
  conditioning = method.condition(graph);
  const Seq2SeqCapacity capacity{sequences, source_rows, sequences * target_rows(targets), sequences * static_cast<std::int64_t>(targets.size())};
  add_loss(model, graph, conditioning, capacity);
  return compile(std::move(graph));
}

}  // namespace

std::int32_t ClassScores::best() const {
  return static_cast<std::int32_t>(std::ranges::max_element(log_likelihoods) - log_likelihoods.begin());
}

RankClassifier::RankClassifier(EncoderDecoder& model, const Method& method, std::vector<std::vector<std::int32_t>> targets,
                               std::int64_t longest_source, std::int64_t batch_rows)
    : model_(model),
      targets_(std::move(targets)),
      source_rows_(std::max(longest_source, batch_rows)),
      sequences_(kLargestBatch),
      session_(compile_scores(model, method, targets_, sequences_, source_rows_, conditioning_)) {}

std::vector<ClassScores> RankClassifier::classify(std::span<const Example> examples, std::int32_t slot,
                                                  const std::function<void(std::int64_t)>& progress) {
  std::vector<ClassScores> scores;
  scores.reserve(examples.size());
  std::size_t begin = 0;
  while (begin < examples.size()) {
    std::size_t end = begin;
    std::int64_t rows = 0;
    while (end < examples.size() && static_cast<std::int64_t>(end - begin) < sequences_) {
      rows += static_cast<std::int64_t>(examples[end].source.size());
      if (rows > source_rows_ && end > begin) break;
      ++end;
    }
    run(examples.subspan(begin, end - begin), slot, scores);
    begin = end;
    if (progress) progress(static_cast<std::int64_t>(begin));
  }
  return scores;
}

void RankClassifier::run(std::span<const Example> examples, std::int32_t slot, std::vector<ClassScores>& scores) {
  Seq2SeqBatch batch;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    batch.sources.push_back(examples[i].source);
    batch.slots.push_back(slot < 0 ? examples[i].slot : slot);
    for (const auto& target : targets_) {
      batch.labels.push_back(target);
      batch.decoder_inputs.push_back(shifted_right(target, model_.decoder_start_id(), model_.pad_id()));
      batch.target_sources.push_back(static_cast<std::int32_t>(i));
    }
  }
  feed(session_, batch, conditioning_, model_.limits(), 1.0);
  session_.run();
  const auto nll = session_.result<float>(seq2seq::kNll);
  std::size_t row = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    ClassScores& result = scores.emplace_back();
    for (const auto& target : targets_) {
      double sum = 0;
      for (std::size_t t = 0; t < target.size(); ++t) sum -= static_cast<double>(nll[row++]);
      result.log_likelihoods.push_back(sum);
    }
  }
}

}  // namespace preamble
