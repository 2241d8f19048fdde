#include "peft/quantised_folder.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "models/open_model.h"
#include "peft/made_up_training.h"
#include "peft/memory_need.h"
#include "peft/save_model.h"
#include "peft/training_step.h"
#include "tests/support/cosine.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/threads.h"

namespace quantised_folder_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

const std::vector<std::string> kModels = {"t5-v10/model", "t5-v11/model", "gpt2/model", "bart/model", "bert/model", "deberta-v2/model"};
constexpr std::array kTypes = {Dtype::int8_rows, Dtype::nf4_64};

/// Some updates of a method on made-up examples.
struct Run {
  std::vector<double> losses;
  std::vector<float> gradient;
  MemoryNeed need;
  std::int64_t held = 0;  ///< bytes of the loaded tensors
};

Run trained(const std::filesystem::path& folder, const Parameters::Options& options, const std::string& method, const Budget& budget) {
  const auto model = open_model(folder, options);
  const BatchShape shape{.sequences = 3, .source = 14, .target = 5, .tokens = 13};
  const auto examples = made_up_examples(shape, *model, 1);
  const auto conditioned = made_up_method({.method = method, .virtual_tokens = 4}, *model, 2);
  TrainingStepOptions step_options;
  step_options.memory = budget;
  TrainingStep step(made_up_loss(shape, *model, examples), *conditioned, step_options);
  const std::array batch = {whole_batch(step.model(), examples)};
  Run run;
  (void)step.differentiate(batch);
  run.gradient.assign(step.gradient(0).begin(), step.gradient(0).end());
  const auto optimizer = make_adamw(step.shapes(), {});
  step.optimize_with(*optimizer);
  for (int i = 0; i < 3; ++i) run.losses.push_back(step.update(batch, 0.05, i).loss);
  run.need = memory_need(*model, step, *optimizer);
  for (const auto& [name, tensor] : model->parameters().loaded()) run.held += static_cast<std::int64_t>(tensor.bytes());
  return run;
}

}  // namespace

TEST_CASE("quantised folder: every method trains on it as on the numbers that it stands for") {
  for (const auto& name : kModels) {
    for (const Dtype type : kTypes) {
      CAPTURE(name);
      CAPTURE(name_of(type));
      const TemporaryFolder quantised, numbers;
      Parameters::Options options;
      options.weights = type;
      const QuantisedModel made = quantise_model_folder(golden(name), quantised.path(), options);
      save_model_folder(quantised.path(), numbers.path(), open_model(quantised.path())->parameters());
      const std::string method = type == Dtype::int8_rows ? "prompt" : "prefix";
      CAPTURE(method);
      const Run given = trained(quantised.path(), {}, method, Budget::automatic());
      const Run expected = trained(numbers.path(), {}, method, Budget::automatic());
      for (std::size_t i = 0; i < given.losses.size(); ++i) CHECK(given.losses[i] == doctest::Approx(expected.losses[i]).epsilon(1e-4));
      CHECK(cosine(given.gradient, expected.gradient) > 0.99999);
      // quantised while it is loaded: the same bits, but for BERT's pooler, which belongs to a head and stays as it is in the folder
      const Run loading = trained(golden(name), options, method, Budget::automatic());
      if (name != "bert/model") {
        CHECK(loading.losses == given.losses);
        CHECK(loading.gradient == given.gradient);
        CHECK(loading.need.frozen == given.need.frozen);
      }
      // what is planned is what is held
      CHECK(given.need.weights == given.held);
      CHECK(given.need.frozen <= given.held);
      CHECK(given.need.frozen < expected.need.frozen);
      const Run smallest = trained(quantised.path(), {}, method, Budget::smallest());
      for (std::size_t i = 0; i < given.losses.size(); ++i) CHECK(smallest.losses[i] == doctest::Approx(given.losses[i]).epsilon(1e-4));
      CHECK(made.bytes < made.source_bytes);
    }
  }
}

TEST_CASE("quantised folder: training does not depend on the number of threads") {
  Parameters::Options options;
  options.weights = Dtype::nf4_32;
  std::vector<double> losses;
  for (const int threads : {1, 2, 5}) {
    const Threads limit(threads);
    const Run run = trained(golden("gpt2/model"), options, "prefix", Budget::automatic());
    if (losses.empty()) losses = run.losses;
    CHECK(run.losses == losses);
  }
}

TEST_CASE("quantised folder: matrices are mapped, output channels have scales, and each error is told") {
  const TemporaryFolder folder;
  Parameters::Options options;
  options.weights = Dtype::int8_rows;
  options.in_f32 = [](std::string_view name) { return name.find("wte") != std::string_view::npos; };
  const QuantisedModel made = quantise_model_folder(golden("gpt2/model"), folder.path(), options);
  const auto model = open_model(folder.path());
  for (const auto& m : made.matrices) {
    CAPTURE(m.name);
    const Tensor& tensor = model->parameters().loaded().at(m.name);
    CHECK(tensor.dtype() == m.dtype);
    CHECK_FALSE(tensor.writable());
    CHECK(static_cast<std::int64_t>(tensor.bytes()) == m.bytes);
    CHECK(m.error.relative > 0);
    CHECK(m.error.relative < 0.01);
    // maps of GPT-2 are [in, out]
    const bool map = m.name.find("attn") != std::string::npos || m.name.find("mlp") != std::string::npos;
    CHECK(m.dtype == (map ? Dtype::int8_columns : Dtype::int8_rows));
    CHECK(m.name.find("wte") == std::string::npos);
  }
  CHECK(model->embedding().dtype() == Dtype::f32);
}

TEST_CASE("quantised folder: rejects the folder itself and options that quantise nothing") {
  Parameters::Options options;
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS((void)quantise_model_folder(golden("gpt2/model"), folder.path(), options),
                       "quantise: weights F32 were given; wanted a quantised type", ConfigError);
  options.weights = Dtype::nf4_64;
  options.in_f32 = freeze_all;
  CHECK_THROWS_AS((void)quantise_model_folder(golden("gpt2/model"), folder.path(), options), ConfigError);
  options.in_f32 = freeze_none;
  (void)quantise_model_folder(golden("gpt2/model"), folder.path(), options);
  CHECK_THROWS_AS((void)quantise_model_folder(folder.path(), folder.path(), options), FileError);
}

}  // namespace quantised_folder_test
