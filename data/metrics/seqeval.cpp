#include "data/metrics/seqeval.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include <fmt/format.h>

#include "data/conll.h"
#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

double ratio(std::int64_t part, std::int64_t whole) noexcept {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

void count_sentence(SequenceScores& scores, const std::vector<std::string>& gold_tags, const std::vector<std::string>& predicted_tags,
                    TagScheme scheme, TagSide side) {
  std::vector<Entity> gold = find_entities(gold_tags, scheme, side);
  std::vector<Entity> predicted = find_entities(predicted_tags, scheme, side);
  for (const Entity& entity : gold) ++scores.by_type[entity.type].gold;
  for (const Entity& entity : predicted) ++scores.by_type[entity.type].predicted;
  std::sort(gold.begin(), gold.end());
  std::sort(predicted.begin(), predicted.end());
  std::vector<Entity> correct;
  std::set_intersection(gold.begin(), gold.end(), predicted.begin(), predicted.end(), std::back_inserter(correct));
  for (const Entity& entity : correct) ++scores.by_type[entity.type].correct;
  for (std::size_t i = 0; i < gold_tags.size(); ++i) scores.correct_tokens += gold_tags[i] == predicted_tags[i] ? 1 : 0;
  scores.tokens += static_cast<std::int64_t>(gold_tags.size());
}

}  // namespace

double EntityCounts::precision() const noexcept { return ratio(correct, predicted); }

double EntityCounts::recall() const noexcept { return ratio(correct, gold); }

double EntityCounts::f1() const noexcept { return ratio(2 * correct, gold + predicted); }

double SequenceScores::accuracy() const noexcept { return ratio(correct_tokens, tokens); }

double SequenceScores::macro_f1() const noexcept {
  double sum = 0.0;
  for (const auto& [type, counts] : by_type) sum += counts.f1();
  return by_type.empty() ? 0.0 : sum / static_cast<double>(by_type.size());
}

SequenceScores score_sequences(const TagPairs& tags, TagScheme scheme, TagSide side) {
  require<ShapeError>(tags.gold.size() == tags.predicted.size(),
                      "seqeval: {} sentences of gold tags and {} of predicted ones; wanted as many", tags.gold.size(),
                      tags.predicted.size());
  SequenceScores scores;
  for (std::size_t i = 0; i < tags.gold.size(); ++i) {
    require<ShapeError>(tags.gold[i].size() == tags.predicted[i].size(),
                        "seqeval: sentence {}: {} gold tags and {} predicted ones; wanted as many", i + 1, tags.gold[i].size(),
                        tags.predicted[i].size());
    count_sentence(scores, tags.gold[i], tags.predicted[i], scheme, side);
  }
  for (const auto& [type, counts] : scores.by_type) {
    scores.micro.gold += counts.gold;
    scores.micro.predicted += counts.predicted;
    scores.micro.correct += counts.correct;
  }
  return scores;
}

TagPairs read_tag_pairs(const std::filesystem::path& path) {
  ConllOptions options;
  options.skip_document_starts = false;
  const ConllFile file = ConllFile::read(path, options);
  TagPairs tags;
  for (std::size_t i = 0; i < file.sentences().size(); ++i) {
    require<FileError>(file.sentences()[i].columns.size() >= 2, "{}:{}: one column; wanted gold and predicted tags as the last two",
                       path.string(), file.sentences()[i].line);
    tags.gold.push_back(file.column(i, -2));
    tags.predicted.push_back(file.column(i, -1));
  }
  return tags;
}

std::string conlleval_report(const SequenceScores& scores) {
  const auto percentages = [](const EntityCounts& counts) {
    return fmt::format("precision: {:6.2f}%; recall: {:6.2f}%; FB1: {:6.2f}", 100.0 * counts.precision(), 100.0 * counts.recall(),
                       100.0 * counts.f1());
  };
  std::string report = fmt::format("processed {} tokens with {} phrases; found: {} phrases; correct: {}.\n", scores.tokens,
                                   scores.micro.gold, scores.micro.predicted, scores.micro.correct);
  if (scores.tokens > 0) report += fmt::format("accuracy: {:6.2f}%; {}\n", 100.0 * scores.accuracy(), percentages(scores.micro));
  for (const auto& [type, counts] : scores.by_type) {
    report += fmt::format("{:>17}: {}  {}\n", type, percentages(counts), counts.predicted);
  }
  return report;
}

}  // namespace preamble::metrics
