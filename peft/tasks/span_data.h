// Questions whose answers stand in a text.
#pragma once

#include <filesystem>
#include <vector>

#include "data/span_examples.h"
#include "data/squad_json.h"
#include "peft/tasks/labelled_data.h"

namespace preamble {

class SpanData final : public LabelledData {
 public:
  SpanData(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer, const LoadOptions& options);

  /// exact and f1, as the scripts of SQuAD 1.1 or 2.0.
  [[nodiscard]] std::vector<HeadLogits> majority(const std::vector<std::vector<HeadLogits>>& members) const override;
  [[nodiscard]] Metrics score(std::span<const HeadLogits> logits) const override;
  /// id, prediction, n best texts with scores and probabilities.
  void predict(std::span<const HeadLogits> logits, const JsonSink& sink) const override;

 private:
  /// Leaves out questions whose answer was not found in the text: they cannot be trained on.
  void leave_out_unplaced(const std::filesystem::path& path);
  [[nodiscard]] std::vector<SpanAnswer> answers(std::span<const HeadLogits> logits) const;

  AnswerRules rules_;
  SquadData data_;
  std::vector<SpanWindow> windows_;
};

}  // namespace preamble
