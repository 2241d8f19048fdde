// `preamble eval` and `predict` for encoders with heads.
#pragma once

#include <memory>
#include <vector>

#include "models/heads/headed_encoder.h"
#include "peft/tasks/labelled_data.h"
#include "tools/encoder_options.h"
#include "tools/eval_command.h"
#include "tools/task_options.h"

namespace preamble {

/// Whether the options, or the folder of the adapter or of the fine-tuned model, speak of a head.
[[nodiscard]] bool is_encoder_task(const EvalArguments& arguments, const EncoderOptions& options);

/// What each adapter says of a labelled file.
struct MemberPredictions {
  std::unique_ptr<LabelledData> data;
  std::vector<std::vector<HeadLogits>> logits;  ///< [adapter][example]
  HeadedLimits::Shape shape;
};

[[nodiscard]] MemberPredictions predict_members(const EvalArguments& arguments, const TaskOptions& files, const EncoderOptions& options);

/// Scores a labelled file; with `output` writes the predictions too.
int eval_encoder_command(const EvalArguments& arguments, const TaskOptions& files, const EncoderOptions& options);

/// Answers each row, sentence or question of a file as JSONL: the class with probabilities, the tags, or the answer with its rivals.
int predict_encoder_command(const EvalArguments& arguments, const TaskOptions& files, const EncoderOptions& options);

}  // namespace preamble
