// Scores of a conditioned model on a labelled data set.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/examples.h"
#include "data/tokenizers/tokenizer.h"
#include "models/generate/generation_config.h"
#include "peft/loss_model.h"
#include "peft/method.h"
#include "peft/rank_classifier.h"
#include "peft/text_generator.h"
#include "peft/text_task.h"

namespace preamble {

/// Scores by name of an answer for each example.
using AnswerScorer = std::function<std::map<std::string, double>(std::span<const std::string>)>;

/// Predictions for a data set, and what they are worth.
struct EvaluationResult {
  /// accuracy, macro_f1 (classes by rank of likelihood); exact_match, f1 (generated texts, SQuAD's rules); label_exact_match
  /// (share of generated texts that are the label word to the letter); loss (mean over the target tokens); and what Options::metrics
  /// names.
  std::map<std::string, double> metrics;
  std::vector<std::string> predictions;  ///< a text for each example
  std::vector<ClassScores> scores;       ///< per example, for classes; of an ensemble those of its first prompt
};

/// Examples without those whose input another one in front of them has.
struct DistinctInputs {
  std::vector<Example> examples;
  /// For each of all examples, which of `examples` has its input.
  std::vector<std::size_t> index;

  [[nodiscard]] static DistinctInputs of(std::span<const Example> examples);
};

/// The mean loss of a conditioned model over the target tokens of examples.
class LossMeter {
 public:
  /// Compiles a program for batches of `batch` examples. Model and method must outlive it.
  LossMeter(LanguageModel& model, const Method& method, std::vector<Example> examples, std::int64_t batch = 16);
  /// The same with a loss whose capacity holds each of these batches.
  LossMeter(std::unique_ptr<LossModel> loss, const Method& method, std::vector<Example> examples, std::int64_t batch);

  void use_slot(std::int32_t slot);
  [[nodiscard]] double run();

 private:
  std::vector<Example> examples_;
  std::size_t batch_;
  std::unique_ptr<LossModel> loss_;
  Conditioning conditioning_;
  std::unique_ptr<Session> session_;
};

class Evaluator {
 public:
  struct Options {
    /// Classes are told apart by rank of their likelihoods; also generate texts for them (T5's own protocol).
    bool generate = false;
    GenerationConfig generation;
    /// The mean negative log-likelihood of the target tokens.
    bool loss = false;
    /// Tasks without classes: generate texts, and score them. Equal inputs are answered once, and their targets are the references of
    /// one answer for `metrics`.
    bool texts = true;
    /// Metrics of generated texts by the names of `metrics::score`.
    std::vector<std::string> metrics = {};
    /// Scores the predictions; absent: `answer_scorer`. Texts that `generate` makes for classes give its names with `generated_` in front.
    AnswerScorer scorer = {};
    /// Prompts 0 .. n-1 vote on each example (Lester et al. 2021, section 7); 1: no vote.
    std::int32_t ensemble = 1;
  };

  /// `references`: target texts, for tasks without classes.
  Evaluator(LanguageModel& model, const Method& method, const Tokenizer& tokenizer, const TextTask& task, std::vector<Example> examples,
            std::vector<std::string> references, Options options);

  /// The prompt that answers all examples from now on.
  void use_slot(std::int32_t slot);
  /// Computes everything with the trainables as they are now.
  [[nodiscard]] EvaluationResult run();

 private:
  void classify(EvaluationResult& result);
  void generate(EvaluationResult& result);
  void measure_texts(EvaluationResult& result, const std::vector<std::string>& answers) const;

  TextTask task_;
  std::vector<Example> examples_;
  std::vector<std::string> references_;
  Options options_;
  AnswerScorer scorer_;
  std::unique_ptr<RankClassifier> classifier_;
  std::unique_ptr<TextGenerator> generator_;
  std::unique_ptr<LossMeter> loss_;
  DistinctInputs distinct_;
};

/// Scores of answers to these examples, as a function: accuracy and macro_f1 of classes, or exact_match and f1 against the references.
[[nodiscard]] AnswerScorer answer_scorer(const TextTask& task, std::span<const Example> examples, std::vector<std::string> references);

/// Target texts of a table, in its order. Throws as `BoundTemplate::render`.
[[nodiscard]] std::vector<std::string> references_of(const TextTask& task, const Table& table);

}  // namespace preamble
