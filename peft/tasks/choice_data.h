// Rows of text with choices of which one is right.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "peft/tasks/labelled_data.h"

namespace preamble {

class ChoiceData final : public LabelledData {
 public:
  ChoiceData(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer, const LoadOptions& options);

  /// accuracy: how often the right choice has the highest score (of equal ones the first counts).
  [[nodiscard]] Metrics score(std::span<const HeadLogits> logits) const override;
  /// row, prediction (the number of a choice from 0, or its label), and of each choice score and probability.
  void predict(std::span<const HeadLogits> logits, const JsonSink& sink) const override;

 private:
  std::vector<std::string> labels_;  ///< names of the choices; empty: numbers
};

}  // namespace preamble
