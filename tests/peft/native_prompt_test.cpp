#include "peft/native_prompt.h"

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/adapter_file.h"
#include "peft/native_prefix.h"
#include "peft/training_step.h"
#include "tests/support/gpt2_models.h"
#include "tests/support/infixes.h"
#include "tests/support/residence.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace native_prompt_test {

using namespace preamble;
using namespace preamble::testing;

TEST_CASE("native prompt: gradients of infixes are the change of the loss") {
  const auto model = golden_gpt2();
  Example first;
  first.source = {5, 17, 33};
  first.target = {8, 30};
  Example second;
  second.source = {90, 2};
  second.target = {44};
  second.slot = 1;
  const std::vector<const Example*> examples = {&first, &second};
  for (const auto* kind : {"prompt", "prefix"}) {
    const auto method = two_infixes(kind);
    TrainingStep step(loss_model(*model, CausalCapacity{2, 8}), *method, {});
    const std::vector<LossBatch> parts = {step.model().batch_of(examples)};
    (void)step.differentiate(parts);
    std::vector<std::vector<float>> gradients;
    for (std::size_t i = 0; i < 2; ++i) gradients.emplace_back(step.gradient(i).begin(), step.gradient(i).end());
    // along the gradient of each tensor the loss changes by its norm
    for (std::size_t i = 0; i < 2; ++i) {
      CAPTURE(kind);
      CAPTURE(i);
      double squares = 0;
      for (const float x : gradients[i]) squares += static_cast<double>(x) * static_cast<double>(x);
      const double norm = std::sqrt(squares);
      REQUIRE(norm > 1e-4);
      Tensor values = step.trainables()[i].value;
      const Tensor old = values.clone();
      const auto loss_at = [&](double distance) {
        for (std::size_t j = 0; j < gradients[i].size(); ++j) {
          values.values<float>()[j] = std::as_const(old).values<float>()[j] + static_cast<float>(distance / norm) * gradients[i][j];
        }
        uploaded(values);
        return step.differentiate(parts).loss;
      };
      const double step_size = 0.02;
      CHECK((loss_at(step_size) - loss_at(-step_size)) / (2 * step_size) == doctest::Approx(norm).epsilon(0.01));
      (void)loss_at(0);
    }
  }
}

TEST_CASE("native prompt: what is written reads back, for decoder-only models") {
  const TemporaryFolder folder;
  const auto model = golden_gpt2();
  const Tensor rows = random_floats({3, 32}, 7);
  NativePrompt{{rows, 3}}.write(folder.path());
  CHECK(NativePrompt::is_in(folder.path()));
  const auto opened = open_adapters({folder.path()}, *model);
  const auto* prompt = dynamic_cast<const PromptTuning*>(opened.get());
  REQUIRE(prompt != nullptr);
  CHECK(prompt->placement() == Placement::infix);
  CHECK(numbers(prompt->prompts()[0].embeddings) == numbers(rows));
  const auto bart = golden_bart();
  CHECK_THROWS_WITH_AS((void)open_adapters({folder.path()}, *bart),
                       (folder.path().string() + ": an infix stands between source and target; wanted a decoder-only model").c_str(),
                       UnsupportedError);
  const auto file = (folder.path() / "prompt.safetensors").string();
  CHECK_THROWS_WITH_AS((void)NativePrompt::read(folder.path(), 8), (file + ": 'prompt_embeddings' is 32 wide; the model wants 8").c_str(),
                       FileError);
  const auto description = [&](const std::string& text) { return folder.write("preamble.json", text).string(); };
  const auto check_error = [&](const std::string& expected) {
    CHECK_THROWS_WITH_AS((void)NativePrompt::read(folder.path(), 32), expected.c_str(), FileError);
  };
  check_error(description(R"({"format": 1, "method": "prompt"})") + ": a prompt in front of the input; wanted PEFT's layout for it");
  check_error(description(R"({"format": 1, "method": "prompt", "placement": "front"})") + ": placement 'front'; wanted prefix or infix");
  check_error(description(R"({"format": 2, "method": "prompt", "placement": "infix"})") + ": format 2; wanted 1");
}

TEST_CASE("native prompt: infixes of keys and values are native prefixes of the decoder alone") {
  const TemporaryFolder folder;
  const auto model = golden_gpt2();
  NativePrefix prefix{keys_and_values(2, 3), true, {}, Placement::infix};
  prefix.slot.at(Site::decoder_self).names = "decoder_self.";
  prefix.write(folder.path());
  CHECK_FALSE(NativePrompt::is_in(folder.path()));
  const auto opened = open_adapters({folder.path()}, *model);
  const auto* method = dynamic_cast<const PrefixTuning*>(opened.get());
  REQUIRE(method != nullptr);
  CHECK(method->positions() == PrefixPositions{.shifted = true, .placement = Placement::infix});
  const CausalBatch batch{.sequences = {{5, 17, 33, 8, 30}}, .labels = {{kNoLabel, kNoLabel, kNoLabel, 8, 30}}};
  const PrefixTuning written({prefix.slot}, method->positions());
  CHECK(logits_of(*model, *opened, batch) == logits_of(*model, written, batch));
  const auto bart = golden_bart();
  CHECK_THROWS_AS((void)open_adapters({folder.path()}, *bart), Error);
  prefix.slot.emplace(Site::cross, prefix.slot.at(Site::decoder_self));
  prefix.write(folder.path());
  CHECK_THROWS_WITH_AS((void)NativePrefix::read(folder.path(), [&](Site site) { return model->attention_shape(site); }),
                       ((folder.path() / "preamble.json").string() + ": an infix of other sites; wanted decoder_self alone").c_str(),
                       FileError);
}

}  // namespace native_prompt_test
