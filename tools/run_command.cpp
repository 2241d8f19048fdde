#include "tools/run_command.h"

#include <memory>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/training_step.h"
#include "tools/run_family.h"

namespace preamble {
namespace {

void train(LossParts batch, const Method& method, const RunArguments& args, Named& results) {
  TrainingStepOptions options;
  options.memory = args.memory;
  options.max_grad_norm = args.optimizer.max_grad_norm;
  TrainingStep step(std::move(batch.model), method, options);
  const auto optimizer = args.optimizer.make(step.shapes());
  const LearningRate rate = args.optimizer.schedule(args.steps);
  std::vector<float> losses;
  for (std::int64_t k = 0; k < args.steps; ++k) {
    StepResult result = step.differentiate(batch.parts);
    losses.push_back(static_cast<float>(result.loss));
    step.update(*optimizer, rate.at(k), result);
  }
  results.emplace_back("losses", tensor_of({args.steps}, losses));
  for (const auto& trainable : step.trainables()) results.emplace_back("final." + trainable.name, trainable.value);
}

template <class Model>
void run(Model& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  if (args.generate) {
    run_generate(model, method, args, inputs, results);
  } else if (args.steps > 0) {
    train(run_parts(model, args, inputs), method, args, results);
  } else {
    run_forward(model, method, args, inputs, results);
  }
}

}  // namespace

int run_command(const RunArguments& args) {
  Parameters::Options options;
  options.weights = args.weights;
  if (args.method == "full") options.frozen = freeze_none;
  const auto model = open_model(args.model, options);
  const std::unique_ptr<Method> method =
      args.adapters.empty() ? std::make_unique<NoMethod>() : open_adapters(args.adapters, *model, {}, args.trainable);
  const RunInputs inputs(args.in);
  Named results;
  if (auto* encoder_decoder = dynamic_cast<EncoderDecoder*>(model.get())) {
    run(*encoder_decoder, *method, args, inputs, results);
  } else if (auto* causal = dynamic_cast<CausalLm*>(model.get())) {
    run(*causal, *method, args, inputs, results);
  } else {
    raise<UnsupportedError>("run: this model is of no family that can be run");
  }
  write_safetensors(args.out, results);
  return 0;
}

}  // namespace preamble
