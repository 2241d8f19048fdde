#include "peft/tasks/tagging_data.h"

#include <set>
#include <utility>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/labels.h"
#include "data/tagged_file.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "peft/tasks/sampling.h"

namespace preamble {

std::vector<TaggedWords> sentences_of(const EncoderTask& task, const std::filesystem::path& path, const TableOptions& table,
                                      bool with_tags) {
  TaggedFileOptions options{.format = table.format, .word_column = task.word_column, .tag_column = task.tag_column};
  if (task.label_column != EncoderTask().label_column) options.tag_field = task.label_column;
  options.roles = task.layout == "roles";
  options.with_tags = with_tags;
  if (!task.labels.empty()) options.names = LabelMap::parse(task.labels).words();
  if (with_tags || task.tags.empty()) return read_tagged_file(path, options);
  const TagSet known(task.tags);
  options.known = &known;
  return read_tagged_file(path, options);
}

TaggingData::TaggingData(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer, const LoadOptions& options)
    : tags_(task.tags), sentences_(sampled(sentences_of(task, path, options.table, options.with_labels), options)) {
  if (!options.training) check_tags(path);
  auto made = tagging_examples(sentences_, tags_, tokenizer, task.length(), truncation_,
                               options.training ? UnknownTags::refused : UnknownTags::first);
  for (auto& [example, words] : made) {
    example.head = options.head;
    examples_.push_back(std::move(example));
    words_.push_back(std::move(words));
  }
  require<FileError>(!examples_.empty(), "{}: no word leaves a token; wanted one at least", path.string());
  if (options.with_labels && examples_.size() < sentences_.size()) {
    warn(fmt::format("{}: {} sentences leave no token (no words, or characters without width): left out", path.string(),
                     sentences_.size() - examples_.size()));
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
    const auto& tags = sentences_[static_cast<std::size_t>(examples_[i].row)].tags;
    for (std::size_t w = 0; w < words_[i].size(); ++w) {
      gold.push_back(tags.at(static_cast<std::size_t>(words_[i][w])));
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
  const auto& names = tags_.names();
  const std::string outside = tags_.find("O") >= 0 ? "O" : names.front();
  std::size_t next = 0;
  for (std::size_t s = 0; s < sentences_.size(); ++s) {
    const TaggedWords& sentence = sentences_[s];
    std::vector<std::string> tags(sentence.words.size(), outside);
    // sentences without tokens have no example
    if (next < examples_.size() && static_cast<std::size_t>(examples_[next].row) == s) {
      const auto& words = words_[next];
      for (std::size_t w = 0; w < words.size(); ++w)
        tags[static_cast<std::size_t>(words[w])] = names[static_cast<std::size_t>(best(logits[next], w, names.size()))];
      ++next;
    }
    nlohmann::ordered_json json = {{"row", s}, {"words", sentence.words}, {"prediction", tags}};
    if (!sentence.predicate.empty()) json["predicate"] = sentence.predicate.front();
    sink(json);
  }
}

}  // namespace preamble
