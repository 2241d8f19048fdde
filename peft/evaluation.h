// Scores of a conditioned model on a labelled data set.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/examples.h"
#include "data/tokenizers/tokenizer.h"
#include "models/generate/generation_config.h"
#include "peft/method.h"
#include "peft/rank_classifier.h"
#include "peft/text_generator.h"
#include "peft/text_task.h"

namespace preamble {

/// Predictions for a data set, and what they are worth.
struct EvaluationResult {
  /// accuracy, macro_f1 (classes by rank of likelihood); exact_match, f1 (generated texts, SQuAD's rules); label_exact_match
  /// (share of generated texts that are the label word to the letter).
  std::map<std::string, double> metrics;
  std::vector<std::string> predictions;  ///< a text for each example
  std::vector<ClassScores> scores;       ///< per example, for classes; of an ensemble those of its first prompt
};

class Evaluator {
 public:
  struct Options {
    /// Classes are told apart by rank of their likelihoods; also generate texts for them (T5's own protocol).
    bool generate = false;
    GenerationConfig generation;
    /// Prompts 0 .. n-1 vote on each example (Lester et al. 2021, section 7); 1: no vote.
    std::int32_t ensemble = 1;
  };

  /// `references`: target texts, for tasks without classes.
  Evaluator(EncoderDecoder& model, const Method& method, const Tokenizer& tokenizer, const TextTask& task, std::vector<Example> examples,
            std::vector<std::string> references, Options options);

  /// Computes everything with the trainables as they are now.
  [[nodiscard]] EvaluationResult run();

 private:
  void classify(EvaluationResult& result);
  void generate(EvaluationResult& result);

  TextTask task_;
  std::vector<Example> examples_;
  std::vector<std::string> references_;
  Options options_;
  std::unique_ptr<RankClassifier> classifier_;
  std::unique_ptr<TextGenerator> generator_;
};

/// Target texts of a table, in its order. Throws as `BoundTemplate::render`.
[[nodiscard]] std::vector<std::string> references_of(const TextTask& task, const Table& table);

}  // namespace preamble
