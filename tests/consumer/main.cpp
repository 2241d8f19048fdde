// A program outside of the tree: trains a prompt with the installed library.
#include <cstdio>
#include <exception>
#include <memory>

#include "models/t5/t5.h"
#include "peft/initialise.h"
#include "peft/prompt_tuning.h"
#include "peft/trainer.h"

using namespace preamble;

int main() {
  try {
    // a small T5 with made-up weights; T5::open("folder") takes a real one
    T5Config config = T5Config::published("t5-small");
    config.vocab_size = 64, config.d_model = 32, config.d_ff = 48, config.num_layers = config.num_decoder_layers = 2;
    T5 model(config, Parameters(random_source(1), {}));

    const Tensor start = initial_prompt({.kind = PromptInitKind::sample_vocab, .tokens = 5}, model.embedding(), {});
    const PromptTuning method({{start, 5}});

    std::vector<Example> examples;
    for (std::int32_t i = 0; i < 8; ++i) examples.push_back({.source = {2 + i, 3 + i, 1}, .target = {10 + i % 2, 1}});

    TrainerOptions options;
    options.max_steps = 60;
    options.batches.sequences = 4;
    options.learning_rate.peak = 0.1;
    Trainer trainer(model, method, examples, [](std::vector<Dims> shapes) { return make_adamw(std::move(shapes), {}); }, options);

    double first = 0;
    const TrainingResult result = trainer.fit({}, [&](const TrainingProgress& p) { first = p.step == 1 ? p.result.loss : first; });
    std::printf("%lld trainable parameters, loss %.3f -> %.3f\n", static_cast<long long>(result.trainable_count), first, result.last_loss);
    return result.last_loss < first ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "consumer: %s\n", error.what());
    return 1;
  }
}
