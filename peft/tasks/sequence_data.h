// Rows of text with a class or a number each.
#pragma once

#include <filesystem>
#include <vector>

#include "data/sequence_examples.h"
#include "peft/tasks/candidates.h"
#include "peft/tasks/labelled_data.h"

namespace preamble {

class SequenceData final : public LabelledData {
 public:
  SequenceData(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer, const LoadOptions& options);

  /// accuracy, macro_f1, mcc, and f1 (of class 1) for two classes; pearson, spearman and their mean for numbers. Candidates that compete
  /// (SuperGLUE): also choice_accuracy, exact_match of whole questions, answer_exact and answer_f1; see `candidate_scores`.
  [[nodiscard]] Metrics score(std::span<const HeadLogits> logits) const override;
  /// row, prediction, and the probabilities of the classes.
  void predict(std::span<const HeadLogits> logits, const JsonSink& sink) const override;

 private:
  bool regression_;
  std::vector<std::string> words_;
  std::vector<RivalAnswer> candidates_;  ///< one an example, if they compete
};

}  // namespace preamble
