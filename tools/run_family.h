// What `preamble run` does with a model of each family.
#pragma once

#include <vector>

#include "models/causal_lm.h"
#include "models/encoder_decoder.h"
#include "peft/loss_model.h"
#include "peft/method.h"
#include "tools/run_command.h"
#include "tools/run_tensors.h"

namespace preamble {

/// A loss for batches of one size, and such batches.
struct LossParts {
  std::unique_ptr<LossModel> model;
  std::vector<LossBatch> parts;
};

// One pass: logits of all tokens, loss and gradients where they are asked for.

void run_forward(EncoderDecoder& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results);
void run_forward(CausalLm& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results);

// The batch in consecutive parts of at most ceil(B / args.accumulation) sequences.

[[nodiscard]] LossParts run_parts(EncoderDecoder& model, const RunArguments& args, const RunInputs& inputs);
[[nodiscard]] LossParts run_parts(CausalLm& model, const RunArguments& args, const RunInputs& inputs);

// Result `sequences`.

void run_generate(EncoderDecoder& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results);
void run_generate(CausalLm& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results);

}  // namespace preamble
