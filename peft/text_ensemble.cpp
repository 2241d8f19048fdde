#include "peft/text_ensemble.h"

#include <algorithm>
#include <map>
#include <utility>

#include "data/labels.h"
#include "engine/core/error.h"
#include "peft/target_scorer.h"

namespace preamble {

TextEnsemble::TextEnsemble(LanguageModel& model, const Method& method, const Tokenizer& tokenizer, const TextTask& task, std::int32_t members,
                           GenerationConfig generation, std::int64_t batch)
    : model_(model),
      method_(method),
      tokenizer_(tokenizer),
      task_(task),
      members_(members),
      generation_(std::move(generation)),
      batch_(batch) {
  require<ConfigError>(members > 0, "ensemble: {} members were given; wanted one at least", members);
  require<ConfigError>(generation_.num_return_sequences == 1, "ensemble: {} texts for one input; wanted one",
                       generation_.num_return_sequences);
  if (task_.classifies()) words_ = LabelMap::parse(task_.labels).words();
}

void TextEnsemble::read(std::vector<Example> examples) {
  require<ConfigError>(!examples.empty(), "ensemble: no examples were given; wanted one at least");
  examples_ = std::move(examples);
  const auto members = static_cast<std::size_t>(members_);
  answers_.assign(members, {});
  std::vector<Example> repeated;
  for (const auto& example : examples_) {
    for (std::int32_t member = 0; member < members_; ++member) {
      repeated.push_back(example);
      repeated.back().slot = member;
    }
  }
  if (task_.classifies()) {
    RankClassifier classifier(model_, method_, label_targets(task_, tokenizer_), longest_source(examples_));
    const auto scores = classifier.classify(repeated);
    votes_.assign(examples_.size(), {});
    for (std::size_t i = 0; i < scores.size(); ++i) {
      votes_[i / members].push_back({scores[i].best(), scores[i].log_likelihoods});
      answers_[i % members].push_back(words_[static_cast<std::size_t>(scores[i].best())]);
    }
    return;
  }
  TextGenerator generator(model_, method_, tokenizer_, generation_, longest_source(examples_), batch_ * members_);
  const auto texts = generator.generate(repeated);
  for (std::size_t i = 0; i < texts.size(); ++i) answers_[i % members].push_back(answer_of(task_, texts[i]));
}

std::vector<std::string> TextEnsemble::together(Vote::Way way) {
  std::vector<std::string> answers;
  if (task_.classifies()) {
    for (const auto& votes : votes_) answers.push_back(words_[static_cast<std::size_t>(vote_of(votes, way))]);
    return answers;
  }
  if (way == Vote::Way::majority) return majority_of_texts();
  const Combination combination = way == Vote::Way::probabilities ? Combination::probabilities : Combination::logits;
  TextGenerator generator(model_, method_, tokenizer_, generation_, longest_source(examples_), members_, combination, batch_);
  for (const auto& text : generator.generate(examples_)) answers.push_back(answer_of(task_, text));
  return answers;
}

std::vector<std::string> TextEnsemble::majority_of_texts() {
  /// A text that as many members give as any other.
  struct Rival {
    std::size_t example;
    std::string text;
    double score = 0;
  };
  std::vector<std::string> answers(examples_.size());
  std::vector<Rival> rivals;
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    std::map<std::string, std::size_t> counts;
    std::size_t most = 0;
    for (const auto& member : answers_) most = std::max(most, ++counts[member[i]]);
    std::vector<std::string> tied;  // in the order of the members
    for (const auto& member : answers_) {
      if (counts[member[i]] == most && std::ranges::find(tied, member[i]) == tied.end()) tied.push_back(member[i]);
    }
    answers[i] = tied.front();
    for (auto& text : tied) {
      if (tied.size() > 1) rivals.push_back({i, std::move(text)});
    }
  }
  if (rivals.empty()) return answers;
  std::vector<Example> scored;
  for (const auto& rival : rivals) {
    Example example = examples_[rival.example];
    example.target = target_of(task_, tokenizer_, rival.text);
    for (example.slot = 0; example.slot < members_; ++example.slot) scored.push_back(example);
  }
  const auto scores = TargetScorer(model_, method_, std::move(scored)).run();
  const Rival* best = nullptr;
  for (std::size_t r = 0; r < rivals.size(); ++r) {
    Rival& rival = rivals[r];
    for (std::size_t m = 0; m < static_cast<std::size_t>(members_); ++m) rival.score += scores[r * static_cast<std::size_t>(members_) + m];
    if (best == nullptr || best->example != rival.example || rival.score > best->score) best = &rival;
    answers[rival.example] = best->text;
  }
  return answers;
}

}  // namespace preamble
