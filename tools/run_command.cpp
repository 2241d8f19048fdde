#include "tools/run_command.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "engine/runtime/compile.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/head_file.h"
#include "peft/training_step.h"
#include "tools/run_family.h"

namespace preamble {
namespace {

/// One pass: logits, loss and gradients where they are asked for.
template <class Model>
void forward(Model& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  const auto batch = read_batch(model, inputs);
  const bool loss = has_labels(batch);
  require<ConfigError>(loss || !args.grad, "--grad: the input has no labels");
  Graph graph = model.parameters().graph();
  const Conditioning conditioning = method.condition(graph);
  add_results(model, graph, conditioning, batch);
  CompileOptions options;
  options.memory = args.memory;
  if (args.grad) options.loss = LossModel::kLoss;
  Session session(compile(std::move(graph), options));
  const BatchInputs fed = inputs_of(batch, conditioning, model.limits());
  fed.feed(session, {1.0 / static_cast<double>(std::max<std::int64_t>(1, fed.labels()))});
  session.run();
  write_results(model, session, batch, inputs, results);
  if (loss) results.emplace_back(LossModel::kLoss, session.result_tensor(LossModel::kLoss));
  add_gradients(session, results);
}

/// Training on one batch, in consecutive parts of at most ceil(B / args.accumulation) sequences.
template <class Model>
void train(Model& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  const auto batch = read_batch(model, inputs);
  const std::size_t sequences = sequences_of(batch);
  const auto count = static_cast<std::size_t>(args.accumulation);
  const std::size_t size = (sequences + count - 1) / count;
  auto capacity = part_of(batch, 0, 0).capacity();
  std::vector<LossBatch> parts;
  for (std::size_t begin = 0; begin < sequences; begin += size) {
    auto part = part_of(batch, begin, std::min(sequences, begin + size));
    capacity = larger_of(capacity, part.capacity());
    parts.emplace_back(std::move(part));
  }
  TrainingStepOptions options;
  options.memory = args.memory;
  options.max_grad_norm = args.optimizer.max_grad_norm;
  options.accumulate = parts.size() > 1;
  TrainingStep step(loss_model(model, capacity), method, options);
  const auto optimizer = args.optimizer.make(step.shapes());
  step.optimize_with(*optimizer);
  const LearningRate rate = args.optimizer.schedule(args.steps);
  std::vector<float> losses;
  for (std::int64_t k = 0; k < args.steps; ++k) {
    losses.push_back(static_cast<float>(step.update(parts, rate.at(k), k).loss));
  }
  step.download(*optimizer);
  results.emplace_back("losses", tensor_of({args.steps}, losses));
  for (const auto& trainable : step.trainables()) results.emplace_back("final." + trainable.name, trainable.value);
}

template <class Model>
void run(Model& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results) {
  if (args.generate) {
    run_generate(model, method, args, inputs, results);
  } else if (args.steps > 0) {
    train(model, method, args, inputs, results);
  } else {
    forward(model, method, args, inputs, results);
  }
}

}  // namespace

int run_command(const RunArguments& args) {
  Parameters::Options options = args.weights.parameters();
  if (args.method == "full") options.frozen = freeze_none;
  const std::unique_ptr<LanguageModel> model =
      names_head(args.adapters, args.task) ? std::unique_ptr<LanguageModel>(open_encoder(args.model, options)) : open_model(args.model, options);
  const std::unique_ptr<Method> method =
      args.adapters.empty() ? std::make_unique<NoMethod>() : open_adapters(args.adapters, *model, warn, args.trainable);
  const RunInputs inputs(args.in);
  Named results;
  if (auto* encoder_decoder = dynamic_cast<EncoderDecoder*>(model.get())) {
    run(*encoder_decoder, *method, args, inputs, results);
  } else if (auto* causal = dynamic_cast<CausalLm*>(model.get())) {
    run(*causal, *method, args, inputs, results);
  } else if (auto* encoder = dynamic_cast<EncoderModel*>(model.get())) {
    const HeadedEncoder headed = open_heads(*encoder, args.adapters, args.task, args.trainable);
    run(headed, *method, args, inputs, results);
  } else {
    raise<UnsupportedError>("run: this model is of no family that can be run");
  }
  write_safetensors(args.out, results);
  return 0;
}

}  // namespace preamble
