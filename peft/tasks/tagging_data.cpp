#include "peft/tasks/tagging_data.h"

#include <set>
#include <utility>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/conll.h"
#include "engine/core/error.h"
#include "peft/tasks/sampling.h"

namespace preamble {

std::vector<TaggedWords> sentences_of(const EncoderTask& task, const std::filesystem::path& path, bool with_tags) {
  const bool roles = task.layout == "roles";
  const ConllFile file = ConllFile::read(path, {.conllu = roles});
  return roles ? semantic_roles(file) : tagged_words(file, task.word_column, task.tag_column, with_tags);
}

TaggingData::TaggingData(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer, const LoadOptions& options)
    : tags_(task.tags), sentences_(sampled(sentences_of(task, path, options.with_labels), options)) {
  if (!options.training) check_tags(path);
  auto made = tagging_examples(sentences_, tags_, tokenizer, task.length(), path.string(), truncation_,
                               options.training ? UnknownTags::refused : UnknownTags::first);
  for (auto& [example, words] : made) {
    example.head = options.head;
    examples_.push_back(std::move(example));
    words_.push_back(std::move(words));
  }
}

void TaggingData::check_tags(const std::filesystem::path& path) {
  std::set<std::string> unknown;
  std::int64_t missed = 0, entities = 0;
  for (const auto& sentence : sentences_) {
    for (const auto& tag : sentence.tags) {
      const std::int32_t number = tags_.find(tag);
      entities += number > 0 ? 1 : 0;
      if (number >= 0) continue;
      ++missed;
      unknown.insert(tag);
    }
  }
  if (missed == 0) return;
  const std::string names = fmt::format("{}", fmt::join(unknown, " "));
  require<FileError>(entities > 0, "{}: the tags are {}; wanted some of {}", path.string(), names, fmt::join(tags_.names(), " "));
  remarks_.push_back(fmt::format("{}: {} words have tags that training lacked ({}): they count as missed", path.string(), missed, names));
}

Metrics TaggingData::score(std::span<const HeadLogits> logits) const {
  require_all(logits);
  metrics::TagPairs pairs;
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    auto& gold = pairs.gold.emplace_back();
    auto& predicted = pairs.predicted.emplace_back();
    for (std::size_t w = 0; w < words_[i].size(); ++w) {
      gold.push_back(sentences_[i].tags.at(static_cast<std::size_t>(words_[i][w])));
      predicted.push_back(tags_.names()[static_cast<std::size_t>(best(logits[i], w, tags_.names().size()))]);
    }
  }
  const metrics::SequenceScores scores = metrics::score_sequences(pairs);
  return {{"precision", scores.micro.precision()},
          {"recall", scores.micro.recall()},
          {"f1", scores.micro.f1()},
          {"accuracy", scores.accuracy()}};
}

void TaggingData::predict(std::span<const HeadLogits> logits, const JsonSink& sink) const {
  require_all(logits);
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    std::vector<std::string> tags(sentences_[i].words.size(), tags_.names().front());
    for (std::size_t w = 0; w < words_[i].size(); ++w)
      tags[static_cast<std::size_t>(words_[i][w])] = tags_.names()[static_cast<std::size_t>(best(logits[i], w, tags_.names().size()))];
    nlohmann::ordered_json json = {{"row", i}, {"words", sentences_[i].words}, {"prediction", tags}};
    if (!sentences_[i].predicate.empty()) json["predicate"] = sentences_[i].predicate.front();
    sink(json);
  }
}

}  // namespace preamble
