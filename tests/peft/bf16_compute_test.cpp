// Whole training steps with activations in bf16 on the CPU.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "models/made_up_model.h"
#include "models/open_model.h"
#include "peft/made_up_training.h"
#include "peft/memory_need.h"
#include "peft/training_step.h"
#include "tests/support/residence.h"
#include "tests/support/cosine.h"
#include "tests/support/golden.h"
#include "tests/support/threads.h"

namespace bf16_compute_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

struct Run {
  double loss = 0;
  std::vector<float> gradient;
  std::vector<double> losses;  ///< of some updates
};

Run trained(const std::string& folder, const std::string& method, Parameters::Options options, const Budget& budget) {
  const auto model = open_model(golden(folder), options);
  const BatchShape shape{.sequences = 3, .source = 14, .target = 5, .tokens = 13};
  const auto examples = made_up_examples(shape, *model, 1);
  const auto conditioned = made_up_method({.method = method, .virtual_tokens = 4}, *model, 2);
  TrainingStepOptions step_options;
  step_options.memory = budget;
  TrainingStep step(made_up_loss(shape, *model, examples), *conditioned, step_options);
  const std::array batch = {whole_batch(step.model(), examples)};
  Run run;
  run.loss = step.differentiate(batch).loss;
  run.gradient.assign(step.gradient(0).begin(), step.gradient(0).end());
  const auto optimizer = make_adamw(step.shapes(), {});
  step.optimize_with(*optimizer);
  for (int i = 0; i < 4; ++i) run.losses.push_back(step.update(batch, 0.02, i).loss);
  return run;
}

}  // namespace

TEST_CASE("bf16 compute: losses and gradients follow float32 for every model, method and budget") {
  for (const std::string folder : {"t5-v10/model", "t5-v11/model", "gpt2/model", "bart/model", "bert/model", "deberta-v2/model"}) {
    for (const std::string method : {"prompt", "prefix", "full"}) {
      if (method == "full" && folder != "gpt2/model" && folder != "t5-v10/model") continue;
      CAPTURE(folder);
      CAPTURE(method);
      Parameters::Options exact;
      if (method == "full") exact.frozen = freeze_none;
      Parameters::Options options = exact;
      options.activations = Dtype::bf16;
      const Run expected = trained(folder, method, exact, Budget::automatic());
      std::vector<Run> runs;
      for (const int threads : {1, 3}) {
        const Threads limit(threads);
        runs.push_back(trained(folder, method, options, Budget::automatic()));
      }
      runs.push_back(trained(folder, method, options, Budget::smallest()));
      for (const Run& run : runs) {
        CHECK(run.loss == doctest::Approx(expected.loss).epsilon(0.02));
        CHECK(cosine(run.gradient, expected.gradient) > 0.98);
        for (std::size_t i = 0; i < run.losses.size(); ++i) CHECK(run.losses[i] == doctest::Approx(expected.losses[i]).epsilon(0.05));
      }
      CHECK(runs[0].losses == runs[1].losses);
      CHECK(runs[0].gradient == runs[1].gradient);
    }
  }
}

TEST_CASE("bf16 compute: what is kept for the backward pass halves" * doctest::test_suite(kPlans)) {
  const auto arena = [](Dtype activations) {
    Parameters::Options options;
    options.activations = activations;
    const auto model = made_up_model("gpt2", untouched_source(), options);
    const BatchShape shape{.sequences = 4, .tokens = 256};
    const auto examples = made_up_examples(shape, *model, 1);
    const auto method = made_up_method({.method = "prefix", .virtual_tokens = 10}, *model, 1);
    TrainingStepOptions step_options;
    step_options.memory = Budget::none();
    return TrainingStep(made_up_loss(shape, *model, examples), *method, step_options).program().arena_bytes();
  };
  CHECK(static_cast<double>(arena(Dtype::bf16)) < 0.7 * static_cast<double>(arena(Dtype::f32)));
}

}  // namespace bf16_compute_test
