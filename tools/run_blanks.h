// What `preamble run` reads and writes of models that fill blanks.
#pragma once

#include "models/blank_model.h"
#include "models/heads/headed_encoder.h"
#include "peft/method.h"
#include "tools/run_command.h"
#include "tools/run_tensors.h"

namespace preamble {

/// The batch of the input file: `position_ids` [B, 2, S] and `context_length` [B] may be absent together. Labels of the language model stand
/// at the rows that predict them. Of choices all tensors have an axis C behind B; a choice whose mask is zero does not exist. Throws FileError.
[[nodiscard]] EncoderBatch read_blanks(const HeadedEncoder& model, const RunInputs& inputs);

/// Scores [B, C] of the choices, 0 where there is none.
[[nodiscard]] Tensor choice_scores(const Session& session, const RunInputs& inputs);

/// Result `sequences`: the input as it was, the token that begins a piece, and what was generated for the first blank.
void generate_blanks(BlankModel& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results);

}  // namespace preamble
